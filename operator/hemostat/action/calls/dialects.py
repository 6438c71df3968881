"""Which service is spoken to how (pure)."""

from collections.abc import Mapping

from hemostat.action.calls.base import Dialect
from hemostat.action.calls.keys import LiteLLMKey
from hemostat.action.calls.tasks import A2A, A2A_03
from hemostat.api.remediation import CallProtocol

DIALECTS: Mapping[CallProtocol, Dialect] = {
    CallProtocol.LITELLM: LiteLLMKey(),
    CallProtocol.A2A: A2A,
    CallProtocol.A2A_03: A2A_03,
}
