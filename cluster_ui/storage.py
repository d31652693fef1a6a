"""Static files under names that hold their hash, so that browsers keep them for ever."""

from servestatic.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Also inside our ES modules: what they import is fetched by its hashed name as well."""

    support_js_module_import_aggregation = True
