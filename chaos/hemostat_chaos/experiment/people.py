"""People of the experiment: approving as somebody, or being refused (shell)."""

import secrets
from dataclasses import dataclass

from kubernetes import client, config

from hemostat.api.approval import Word
from hemostat.api.remediation import Remediation
from hemostat.api.resources import APPROVAL
from hemostat.cli.deciding import MANAGER
from hemostat.errors import Refused, Retry
from hemostat.gate.word import body, build, server_words
from hemostat.kube import Kube

_LAGS = "status.planHash"
"""The API server's admission knows a new Remediation's plan a moment later; then it refuses any hash."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user with one group, for whom RBAC decides as for any other."""

    user: str
    group: str | None = None

    def connect(self, kubeconfig: str | None = None, context: str | None = None) -> Kube:
        """Connect as this person; the kubeconfig's own user must be allowed to impersonate.

        https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
        """
        configuration = client.Configuration()
        config.load_kube_config(kubeconfig, context, configuration)  # type: ignore[no-untyped-call]
        api = client.ApiClient(configuration)
        api.default_headers["Impersonate-User"] = self.user
        if self.group is not None:
            api.default_headers["Impersonate-Group"] = self.group
        return Kube(api)


def approve(kube: Kube, remediation: Remediation, reason: str) -> str:
    """Approve the present plan as whoever `kube` is; return the user name. `Refused` with the server's words."""
    user, groups = kube.user()
    approval = build(remediation, Word.APPROVE, user, groups, reason, secrets.token_hex(3))
    try:
        kube.create(APPROVAL.path(remediation.metadata.namespace), body(approval), MANAGER)
    except Refused as error:
        said = server_words(error)
        if _LAGS in said:
            raise Retry(said, delay_seconds=0.25) from error
        raise Refused(error.reason, said) from error
    return user
