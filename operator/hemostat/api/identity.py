"""Who is who in the cluster: namespaces and service accounts, named once."""

NAMESPACE = "hemostat-system"
OBSERVE = "hemostat-observe"
ACT = "hemostat-act"
RELAY = "hemostat-relay"
OBSERVE_USER = f"system:serviceaccount:{NAMESPACE}:{OBSERVE}"
ACT_USER = f"system:serviceaccount:{NAMESPACE}:{ACT}"
RELAY_USER = f"system:serviceaccount:{NAMESPACE}:{RELAY}"

TARGET_ROLE = "hemostat-act-target"
"""ClusterRole that a namespace binds to opt in."""
ROOM_ROLE = "hemostat-act-room"
"""ClusterRole that is bound to `act` for the whole cluster, where it shall add replicas without a person."""
NODES_ROLE = "hemostat-act-nodes"
"""ClusterRole that is bound to `act` for the whole cluster, where it may cordon nodes."""
GUARD_ROLE = "hemostat-guard"
"""ClusterRole that a namespace binds to an application's service account, so that its guard can read its orders."""
LOGS_ROLE = "hemostat-observe-logs"
"""ClusterRole that a namespace binds to `observe`'s service account, so that a diagnosis may look at its logs."""

PEOPLE = "hemostat-people"
"""ConfigMap: for whom `relay` may speak. A key is a Slack user's id, the lines of its value user name and groups."""
VIA_LABEL = "hemostat.dev/via"
"""On an Approval that `relay` created: Slack. The API server looks at the ConfigMap for no other: where there is no
Slack there is none, and everybody else's Approvals must not wait for it."""
PEOPLE_ROLE = "hemostat-relay-people"
"""ClusterRole by which `relay` may impersonate these people, to create Approvals and nothing else."""

AUDIT = "hemostat-audit"
"""ConfigMap in Hemostat's namespace: how much the audit log holds, signed."""

LEASE = "hemostat-act"
"""Lease in Hemostat's namespace: which replica of `act` acts."""

PROTECTED_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage", NAMESPACE)
"""Never acted in, by admission policy and by the gate, whatever RoleBindings say."""
PROTECTED_LABEL = "hemostat.dev/protected"
"""Namespaces bearing this label are protected too."""
LESSON = "hemostat.dev/lesson"
"""Annotation of an Incident: the lesson that a person accepted. Only then a model is shown it, as evidence."""
MAX_LESSON = 1024
"""Characters of a lesson, drafted or accepted."""
LESSON_BY = "hemostat.dev/lesson-accepted-by"
"""Annotation of an Incident: who accepted its lesson; the API server checks that it is true."""
ACKNOWLEDGED = "hemostat.dev/acknowledged-by"
"""Annotation of an Incident: who has taken it on. Nothing is done for it without a person while it is there."""
TAKEN_BACK_BY = "hemostat.dev/taken-back-by"
"""Annotation of a Remediation: who takes back what it did; the API server checks that it is true. It is never applied
(again) then."""
TAKEN_BACK_TIME = "hemostat.dev/taken-back-time"
"""Annotation of a Remediation: when, by the API server's clock."""
REMEDIATION_LABEL = "hemostat.dev/remediation"
"""On what `act` created for a time: uid of the Remediation. It may delete nothing else."""
