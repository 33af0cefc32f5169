"""All tables in one place, so that the metadata is whole wherever it is needed."""

from model.registry.base import Base
from model.registry.tables import Project
from model.registry.tables_admin import Person
from model.registry.tables_versions import AdapterVersion

METADATA = Base.metadata
TABLES = frozenset(METADATA.tables)
PARENTS = (Project, AdapterVersion, Person)
