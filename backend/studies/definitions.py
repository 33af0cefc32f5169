"""The studies by name."""

from __future__ import annotations

from types import MappingProxyType

from backend.studies.definitions_cllmfs import CLLMFS_STUDIES
from backend.studies.definitions_label_aware import LABEL_AWARE_STUDIES

STUDIES = MappingProxyType({study.name: study for study in (*CLLMFS_STUDIES, *LABEL_AWARE_STUDIES)})
"""The studies by name."""
