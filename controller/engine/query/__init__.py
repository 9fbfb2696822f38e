"""Questions about what runs, asked of the instance records: a language, and an index that answers in no time."""

from controller.engine.query.index import Index
from controller.engine.query.language import Query, parse_query
from controller.engine.query.refreshing import commit_at, indexed, refresh, time_of

__all__ = ["Index", "Query", "commit_at", "indexed", "parse_query", "refresh", "time_of"]
