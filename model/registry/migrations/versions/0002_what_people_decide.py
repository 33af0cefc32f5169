"""verdicts, marks, run logs, people, sessions and tokens"""

import sqlalchemy as sa
from alembic import op

from model.registry.migrations.audit import append_only, free


revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}_{target}")
    )


def upgrade() -> None:
    op.add_column("evaluations", sa.Column("answers", sa.JSON(), nullable=True))
    op.add_column("alias_changes", sa.Column("verdict", sa.String(length=10), nullable=True))
    op.add_column("alias_changes", sa.Column("refusal_kind", sa.String(length=40), nullable=True))
    op.add_column("alias_changes", sa.Column("refusal", sa.Text(), nullable=True))
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=False),
        sa.Column("candidate_id", sa.Integer(), nullable=False),
        sa.Column("served_id", sa.Integer(), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("eval_digest", sa.String(length=64), nullable=True),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=True),
        sa.Column("no_harm", sa.Boolean(), nullable=False),
        sa.Column("candidate_f1", sa.Double(), nullable=True),
        sa.Column("served_f1", sa.Double(), nullable=True),
        sa.Column("delta", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.Column("label_scores", sa.JSON(), nullable=False),
        sa.Column("policy", sa.String(length=20), nullable=False),
        _time("at"),
        _key("verdicts", "project_id", "projects"),
        _key("verdicts", "candidate_id", "adapter_versions"),
        _key("verdicts", "served_id", "adapter_versions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
        sa.UniqueConstraint(
            "candidate_id", "served_id", "look", name=op.f("uq_verdicts_candidate_id")
        ),
    )
    op.create_index(op.f("ix_verdicts_project_id"), "verdicts", ["project_id"])
    op.create_table(
        "version_marks",
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        _time("archived_at", nullable=True),
        sa.Column("archived_reason", sa.Text(), nullable=True),
        _time("condemned_at", nullable=True),
        sa.Column("condemned_reason", sa.Text(), nullable=True),
        _time("deleted_at", nullable=True),
        _key("version_marks", "version_id", "adapter_versions"),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_version_marks")),
    )
    op.create_table(
        "run_lines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("loss", sa.Double(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        _time("at"),
        _key("run_lines", "run_id", "training_runs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_lines")),
    )
    op.create_index(op.f("ix_run_lines_run_id"), "run_lines", ["run_id"])
    op.create_table(
        "people",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        _time("disabled_at", nullable=True),
        _time("created_at"),
        _key("people", "project_id", "projects"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("name", name=op.f("uq_people_name")),
    )
    op.create_table(
        "person_sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        _time("created_at"),
        _time("seen_at"),
        _key("person_sessions", "person_id", "people"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_person_sessions")),
    )
    op.create_index(op.f("ix_person_sessions_person_id"), "person_sessions", ["person_id"])
    op.create_table(
        "person_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        _time("created_at"),
        _time("used_at", nullable=True),
        _time("revoked_at", nullable=True),
        _key("person_tokens", "person_id", "people"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_person_tokens_digest")),
    )
    op.create_index(op.f("ix_person_tokens_person_id"), "person_tokens", ["person_id"])
    append_only("verdicts")
    append_only("adapter_versions")


def downgrade() -> None:
    free("adapter_versions")
    free("verdicts")
    for table in (
        "person_tokens",
        "person_sessions",
        "people",
        "run_lines",
        "version_marks",
        "verdicts",
    ):
        op.drop_table(table)
    op.drop_column("alias_changes", "refusal")
    op.drop_column("alias_changes", "refusal_kind")
    op.drop_column("alias_changes", "verdict")
    op.drop_column("evaluations", "answers")
