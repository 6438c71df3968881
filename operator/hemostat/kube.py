"""A small JSON client of the API server over the official client's connection handling (shell).

Hemostat reads and writes plain JSON objects: its own kinds are Pydantic models, and other people's objects must pass
through unchanged, which typed clients do not guarantee.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from hemostat.errors import HemostatError, Refused, Retry

Json = dict[str, Any]
TIMEOUT_SECONDS = 10.0
JSON = "application/json"
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PAGE = 500
MERGE, JSON_PATCH, APPLY = (
    "application/merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)

PATCH_TEST_FAILED = "the server rejected our request due to an error in our request"
"""All that the API server says when a `test` of a JSON Patch does not hold; invalid results are explained instead."""


class NotFound(HemostatError):
    """The object does not exist (404)."""


class Conflict(HemostatError):
    """Somebody was faster: it exists already, or is at another resourceVersion (409, or 422 of a patch's test)."""


class Disrupted(Retry):
    """A PodDisruptionBudget forbids an eviction now (429).

    https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
    """


class Kube:
    """Requests as one identity. Thread-safe; every request has a deadline, of ten seconds unless told otherwise."""

    def __init__(
        self,
        api: client.ApiClient,
        impersonated: Sequence[tuple[str, str]] = (),
        seconds: float = TIMEOUT_SECONDS,
        permit: Callable[[], None] | None = None,
    ) -> None:
        self._api, self._impersonated, self._seconds, self._permit = api, tuple(impersonated), seconds, permit

    @classmethod
    def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> "Kube":
        """Connect by the pod's service account where there is one, else by kubeconfig.

        Raises `Refused` (NoCluster) that says where was looked.
        """
        configuration = client.Configuration()
        configuration.retries = urllib3.Retry(total=0)
        try:
            if kubeconfig is None and context is None:
                try:
                    config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
                    return cls(client.ApiClient(configuration))
                except config.ConfigException:
                    pass  # not in a pod: the ordinary kubeconfig rules apply
            config.load_kube_config(kubeconfig, context, configuration)  # type: ignore[no-untyped-call]
            impersonated = _impersonation(kubeconfig, context)
        except (config.ConfigException, OSError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise Refused("NoCluster", f"no cluster to talk to: {error}; set KUBECONFIG or give --context") from error
        api = client.ApiClient(configuration)
        api.default_headers.update(impersonated)
        return cls(api)

    def acting_as(self, user: str, groups: Sequence[str]) -> "Kube":
        """Return requests as somebody else, over the same connections; the API server says whether that is allowed."""
        who = (("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups))
        return Kube(self._api, who, self._seconds, self._permit)

    def within(self, seconds: float) -> "Kube":
        """Return requests with this deadline, over the same connections."""
        return Kube(self._api, self._impersonated, seconds, self._permit)

    def permitted(self, permit: Callable[[], None]) -> "Kube":
        """Return requests that are sent only if `permit` does not raise; whatever only reads is not asked about."""
        return Kube(self._api, self._impersonated, self._seconds, permit)

    def get(self, path: str, **query: str) -> Json:
        """Read one object."""
        return self._request("GET", path, query)

    def list(self, path: str, **query: str) -> list[Json]:
        """Read a whole collection, page by page. Items carry apiVersion and kind."""
        return list(self._pages(path, query))

    def _pages(self, path: str, query: Mapping[str, str], accept: str = JSON) -> Iterator[Json]:
        token = ""
        while True:
            page = self._request("GET", path, {**query, "limit": str(PAGE), "continue": token}, accept=accept)
            kind = page["kind"].removesuffix("List")
            for item in page["items"] or ():  # a list of metadata that is empty says null
                yield {"apiVersion": page["apiVersion"], "kind": kind, **item}
            token = page["metadata"].get("continue", "")
            if not token:
                return

    def text(self, path: str, most: int, **query: str) -> str:
        """Read text, for example a log, up to so many bytes; what is no UTF-8 is replaced."""
        response = self._send("GET", path, query, None, JSON, "text/plain, */*")
        data: bytes = response.data[:most]
        return data.decode(errors="replace")

    def each(self, path: str, **query: str) -> Iterator[Json]:
        """Yield every object of a collection, holding no more than a page of them in memory."""
        return self._pages(path, query)

    def versions(self, path: str) -> Iterator[Json]:
        """Yield the metadata of every object of a collection, and nothing else of them; needs the right to list."""
        for item in self._pages(path, {}, METADATA):
            yield item["metadata"]

    def create(self, path: str, body: Json, manager: str, *, dry_run: bool = False) -> Json:
        """Create an object; `Conflict` when the name is taken."""
        return self._request("POST", path, {"fieldManager": manager} | _dry(dry_run), body)

    def replace(self, path: str, body: Json, manager: str) -> Json:
        """Write a whole object if it is still at `body.metadata.resourceVersion` (compare and set)."""
        return self._request("PUT", path, {"fieldManager": manager}, body)

    def apply(self, path: str, body: Json, manager: str, *, force: bool = False) -> Json:
        """Server-side apply. For our own objects only; see operator/designs."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        return self._request("PATCH", path, query, body, APPLY)

    def json_patch(self, path: str, ops: Sequence[Mapping[str, Any]], manager: str, *, dry_run: bool = False) -> Json:
        """Send a JSON Patch; `Conflict` when one of its tests fails."""
        return self._request("PATCH", path, {"fieldManager": manager} | _dry(dry_run), list(ops), JSON_PATCH)

    def merge_patch(self, path: str, body: Json, manager: str) -> Json:
        """Send a JSON merge patch."""
        return self._request("PATCH", path, {"fieldManager": manager}, body, MERGE)

    def delete(self, path: str, uid: str, version: str | None = None, *, dry_run: bool = False) -> None:
        """Delete the object with this uid and no other of the same name; if given, only at that resourceVersion.

        What it owns goes with it: of a Job the API server would leave the pods, unless told.
        """
        self._request("DELETE", path, {}, _only(uid, version, dry_run) | {"propagationPolicy": "Background"})

    def evict(self, path: str, uid: str, version: str | None = None, *, dry_run: bool = False) -> None:
        """Delete this pod as `delete` does, unless a disruption budget forbids it now (`Disrupted`).

        :param path: of the pod.
        """
        namespace, name = path.rsplit("/", 3)[1], path.rsplit("/", 1)[1]
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": _only(uid, version, dry_run),
        }
        self._request("POST", f"{path}/eviction", {}, body)

    def server_now(self) -> datetime:
        """Return the API server's own time (one-second resolution): expiry is measured by its clock, not ours."""
        response = self._send("GET", "/version", {}, None, "")
        return parsedate_to_datetime(response.getheaders()["Date"])

    def user(self) -> tuple[str, tuple[str, ...]]:
        """Return the user name and groups that the API server sees in us (SelfSubjectReview)."""
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        info = self._request("POST", path, {}, body)["status"]["userInfo"]
        return info["username"], tuple(info.get("groups", ()))

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Json:
        response = self._send(method, path, query, body, content, accept)
        parsed: Json = json.loads(response.data)
        return parsed

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Any, content: str, accept: str = JSON
    ) -> Any:
        headers = {"Accept": accept} | ({"Content-Type": content} if body is not None else {})
        parts = self._api.param_serialize(
            method,
            path,
            query_params=[(k, v) for k, v in query.items() if v],
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        url, sent_headers = parts[1], urllib3.HTTPHeaderDict(parts[2])
        for name, value in self._impersonated:  # a header that may be repeated
            sent_headers.add(name, value)
        if self._permit is not None and method != "GET":
            self._permit()
        try:
            response = self._api.call_api(method, url, sent_headers, body, _request_timeout=self._seconds)
            response.read()  # type: ignore[no-untyped-call]
            if not 200 <= response.status <= 299:
                raise ApiException(status=response.status, reason=response.reason, body=response.data)
        except ApiException as error:
            raise _mapped(error, method, path) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Retry(f"{method} {path}: API server did not answer: {error}") from error
        return response


def _dry(dry_run: bool) -> dict[str, str]:  # noqa: FBT001 - passed on
    return {"dryRun": "All"} if dry_run else {}


def _only(uid: str, version: str | None, dry_run: bool) -> Json:  # noqa: FBT001
    """Return DeleteOptions. Beside them the query is not read: a `dryRun` there would delete (seen on 1.36.3)."""
    found: Json = {"preconditions": {"uid": uid} | ({"resourceVersion": version} if version else {})}
    return found | ({"dryRun": ["All"]} if dry_run else {})


def _impersonation(kubeconfig: str | None, context: str | None) -> dict[str, str]:
    """Return the headers for `as` and `as-groups` of the kubeconfig's user, which the client library passes over.

    More than the library's plain headers can say is refused: nobody must act as somebody else than kubectl would.
    """
    from kubernetes.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION, KubeConfigMerger

    merged = KubeConfigMerger(kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION).config  # type: ignore[no-untyped-call]
    chosen = merged["contexts"].get_with_name(context or merged["current-context"])["context"]["user"]
    user = merged["users"].get_with_name(chosen)["user"].value
    groups = user.get("as-groups") or []
    if len(groups) > 1 or user.get("as-uid") or user.get("as-user-extra"):
        raise Refused("Impersonation", "more than `as` and one of `as-groups` in the kubeconfig is not supported")
    headers = {"Impersonate-User": user["as"]} if user.get("as") else {}
    return headers | ({"Impersonate-Group": groups[0]} if groups else {})


def _mapped(error: ApiException, method: str, path: str) -> HemostatError:
    message = f"{method} {path}: {_message(error)}"
    if error.status == 404:
        return NotFound(message)
    if error.status == 409:
        return Conflict(message)
    if error.status == 422 and PATCH_TEST_FAILED in message:
        return Conflict(message)
    if error.status == 429 and path.endswith("/eviction") and _cause(error) == "DisruptionBudget":
        return Disrupted(message)
    if error.status in (408, 410, 429, 500, 502, 503, 504):
        return Retry(message)
    if error.status in (401, 403):
        return Refused("Forbidden", message)
    return Refused("Invalid", message)


def _cause(error: ApiException) -> str:
    """Return the reason of the first cause in a Status, or an empty text."""
    try:
        return str(json.loads(error.body or "")["details"]["causes"][0]["reason"])
    except (ValueError, TypeError, KeyError, IndexError):
        return ""


def _message(error: ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    try:
        return str(json.loads(body).get("message", body))[:2000]
    except (ValueError, AttributeError):
        return body[:2000] or str(error.reason)


def path_of(api_version: str, kind: str, namespace: str | None, name: str, subresource: str = "") -> str:
    """Return the URL path of a namespaced object of a built-in or custom kind, by the usual plural; without a name,
    that of the collection, without a namespace too, that of all namespaces.
    """
    prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("cy") else kind.lower() + ("es" if kind.endswith("ss") else "s")
    inside = f"{prefix}/namespaces/{namespace}" if namespace is not None else prefix
    path = f"{inside}/{plural}/{name}".rstrip("/")
    return f"{path}/{subresource}" if subresource else path


def pods_of(kube: Kube, namespace: str, workload: Mapping[str, Any]) -> list[Json]:
    """Return the pods that the workload's selector names."""
    selector = selector_of(workload["spec"].get("selector") or {})
    if not selector:  # an empty selector would ask for everybody's pods
        return []
    return kube.list(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)


def selector_of(selector: Mapping[str, Any]) -> str:
    """Return a LabelSelector as a query has it; empty if it selects everything, or says what nobody knows (pure)."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or ():
        write = _OPERATORS.get(one["operator"])
        if write is None:
            return ""
        terms.append(write(one["key"], ",".join(one.get("values") or ())))
    return ",".join(terms)


_OPERATORS: Mapping[str, Callable[[str, str], str]] = {
    "In": lambda key, values: f"{key} in ({values})",
    "NotIn": lambda key, values: f"{key} notin ({values})",
    "Exists": lambda key, _: key,
    "DoesNotExist": lambda key, _: f"!{key}",
}


def revisions_of(kube: Kube, namespace: str, workload: Mapping[str, Any]) -> list[Json]:
    """Return the ReplicaSets that a Deployment owns, or the ControllerRevisions of another workload."""
    uid = workload["metadata"]["uid"]
    kind = "ReplicaSet" if workload["kind"] == "Deployment" else "ControllerRevision"
    found = kube.list(path_of("apps/v1", kind, namespace, ""))
    return [o for o in found if any(r["uid"] == uid for r in o["metadata"].get("ownerReferences", ()))]
