"""The resources of `hemostat.dev/v1alpha1` as frozen Pydantic models: the one source of the CRDs."""

GROUP = "hemostat.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
