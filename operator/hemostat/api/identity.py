"""Who is who in the cluster: namespaces and service accounts, named once."""

NAMESPACE = "hemostat-system"
OBSERVE = "hemostat-observe"
ACT = "hemostat-act"
OBSERVE_USER = f"system:serviceaccount:{NAMESPACE}:{OBSERVE}"
ACT_USER = f"system:serviceaccount:{NAMESPACE}:{ACT}"

TARGET_ROLE = "hemostat-act-target"
"""ClusterRole that a namespace binds to opt in."""
GUARD_ROLE = "hemostat-guard"
"""ClusterRole that a namespace binds to an application's service account, so that its guard can read its orders."""
LOGS_ROLE = "hemostat-observe-logs"
"""ClusterRole that a namespace binds to `observe`'s service account, so that a diagnosis may look at its logs."""

PROTECTED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage", NAMESPACE)
"""Never acted in, by admission policy and by the gate, whatever RoleBindings say."""
PROTECTED_LABEL = "hemostat.dev/protected"
"""Namespaces bearing this label are protected too."""
REMEDIATION_LABEL = "hemostat.dev/remediation"
"""On what `act` created for a time: uid of the Remediation. It may delete nothing else."""
