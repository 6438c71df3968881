"""Names out of telemetry, made fit for conditions, Events, logs and the call graph (pure)."""


def printable(text: str) -> str:
    """Replace what would break a line or steer a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def callee_name(peer: str) -> str:
    """Return the Service's name of a cluster-internal host (`payment.shop.svc.cluster.local`), else what is given."""
    first, dot, rest = peer.partition(".")
    return first if dot and (rest.endswith(".svc") or ".svc." in rest) else peer
