"""Names that PostgreSQL or RDS keep for themselves."""

from __future__ import annotations

#: Key words that name nothing without quotes (the "reserved" column of the PostgreSQL documentation, appendix C).
_RESERVED_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
    unique user using variadic verbose when where window with
"""

RESERVED_WORDS = frozenset(_RESERVED_WORDS.split())

#: Databases that every instance has, and the one name RDS refuses for no better reason.
RESERVED_DATABASES = frozenset({"db", "postgres", "rdsadmin", "template0", "template1"})

#: Roles that exist already, and those every attacker tries first (rule ``rds-admin-name-and-port``).
RESERVED_ROLES = frozenset({"admin", "administrator", "postgres", "public", "rdsadmin", "rdsrepladmin", "root"})
