"""Checks by which people hold Hemostat back, or the place in which it would act does (pure)."""

from hemostat.gate.input import HOLD, PASS, GateInput, Matched, Verdict


def stop_switch(facts: GateInput, _: Matched) -> Verdict:
    """Whether anything may be begun at all."""
    if facts.go is None:
        return HOLD, "the API server does not say whether anything may be begun (Role hemostat-go)"
    if not facts.go.begin:
        left = "what was done is still undone where it must be" if facts.go.undo else "nothing is undone either"
        return HOLD, f"Hemostat was stopped{facts.go.words}; {left} (kubectl hemostat status)"
    return PASS, "it is not stopped"
