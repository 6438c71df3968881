"""What is wrong with a Runbook is found before an incident needs it."""

import pytest
from tests.unit.builders import runbook, symptom

from hemostat.action.registry import discover
from hemostat.diagnosis.lint import PLACEHOLDER, Level, lint, problems

CATALOGUE = {name: action for name, action in discover().items() if name in ("rollback", "scale")}
FIRING = 's.state == "Firing"'
SOUND = {
    "symptoms": [
        symptom("errors", f'signals.exists(s, {FIRING} && s.kind == "ErrorRate")', necessity="Required"),
        symptom("rolled-out", 'changes.exists(c, c.kind == "Rollout")', necessity="Required"),
    ],
    "guidance": "Look first.",
    "verify": {"timeoutSeconds": 120},
}


def step(action, **parameters):
    return {"action": action, "parameters": [{"name": k, "value": v} for k, v in parameters.items()]}


def found(**changed):
    return lint(runbook(**(SOUND | changed)), CATALOGUE)


def asking(expression, necessity="Supporting"):
    return found(symptoms=[*SOUND["symptoms"], symptom("asked", expression, necessity=necessity)])


@pytest.mark.parametrize("steps", [[step("rollback")], [step("scale", factorPercent="150"), step("rollback")]])
def test_a_sound_runbook_has_no_problems(steps):
    assert problems(runbook(remediations=steps), CATALOGUE) == []
    assert found(remediations=steps) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"symptoms": [symptom("slow", "signals.exists(s")]}, ["symptom slow: "]),
        ({"symptoms": [symptom("slow", "latency > 3")]}, ["symptom slow: unknown variable latency"]),
        ({"remediations": [step("reboot")]}, ["step 0: no action reboot; there are rollback, scale"]),
        ({"remediations": [step(PLACEHOLDER)]}, ["step 0: ", "placeholder of a draft", "rollback, scale"]),
        ({"remediations": [step("rollback", now="true")]}, ["step 0: action rollback: now: "]),
        ({"remediations": [step("rollback"), step("scale", factorPercent="1")]}, ["step 1: ", "factorPercent"]),
    ],
)
def test_each_problem_is_named(spec, words):
    (problem,) = problems(runbook(**spec), CATALOGUE)
    assert all(word in str(problem) for word in words)


def test_all_problems_are_told_at_once():
    bad = runbook(
        symptoms=[symptom("a", "("), symptom("b", "x")], remediations=[step("reboot"), step("scale", maxReplicas="0")]
    )
    assert len(problems(bad, CATALOGUE)) == 4


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('signals.exists(s, s.kind == "ErrorRat")', 's.kind is never "ErrorRat"; did you mean ErrorRate?'),
        ("signals.exists(s, 'ErrorRat' == s.kind)", 's.kind is never "ErrorRat"; did you mean ErrorRate?'),
        ('!signals.exists(s, s.kind in ["Latency", "Saturatoin"])', "did you mean Saturation?"),
        ('signals.exists(x, x.state == "Fires")', "there are Firing, Clear, NoData"),
        ('signals.exists(s, s.advice == "Stop")', "there are Notify, Cut"),
        ('signals.exists(s, s.knd == "ErrorRate")', "s.knd does not exist; did you mean kind?"),
        ('changes.exists(c, c.kind == "Image")', 'c.kind is never "Image"; there are Rollout'),
        ('calleeChanges.exists(c, c.kind != "rollout")', "did you mean Rollout?"),
        ('changes.size() > 0 && changes[0].kind == "Rolout"', 'changes.kind is never "Rolout"'),
        ("changes.exists(c, c.age < 300.0)", "c.age does not exist"),
        ('"OOMKill" in workload.aspects', 'workload.aspects is never "OOMKill"; did you mean OOMKilled?'),
        ('workload.aspects.exists(a, a == "Evict")', "did you mean Evicted?"),
        ("workload.redy == 0", "workload.redy does not exist; did you mean ready?"),
        ('signals.exists(s, s.kind == "CrashLoop")', 's.kind is never "CrashLoop"; there are ErrorRate, Latency'),
        ('target.kind == "Pod"', 'target.kind is never "Pod"'),
    ],
)
def test_a_word_that_evidence_never_says_is_named_with_the_one_that_was_meant(expression, said):
    (finding,) = asking(expression, "Required")
    assert (finding.place, finding.level) == ("symptom asked", Level.ERROR)
    assert said in finding.message


@pytest.mark.parametrize(
    "expression",
    [
        'signals.exists(s, s.subject == "ErrorRat" && s.name.startsWith("x") && s.value > s.threshold)',
        'signals.exists(s, s.kind == "Alert" && s.subject.contains("kind == \\"x\\""))',
        'changes.exists(s, s.kind == "ConfigMap") && signals.exists(s, s.kind == "Alert")',
        'workload.troubles.exists(t, t.contains("exit code 137"))',
        "!signals.exists(s, s.value > 90.0)",
        '!changes.exists(c, c.kind == "Rollout" && c.ageSeconds < 120.0)',
        '!changes.exists(c, c.subject == "ConfigMap payment")',
        "workload.complete && workload.troubles.size() == 0",
        "signals.filter(s, s.kind == 'Latency').map(x, x.value).all(v, v > 1.0)",
        'target.name == "payment"',
        'target.kind == "Deployment"',
    ],
)
def test_what_can_be_asked_is_left_alone(expression):
    assert asking(expression) == []


@pytest.mark.parametrize("expression", ["true", "signals.size() >= 0", 'target.name != ""', "1 < 2 || workload.stuck"])
def test_a_symptom_that_always_holds_is_told(expression):
    (finding,) = asking(expression)
    assert "holds whatever the evidence says" in finding.message


@pytest.mark.parametrize(
    "symptoms",
    [
        [symptom("calm", '!signals.exists(s, s.kind == "Saturation")')],
        [symptom("calm", "workload.troubles.size() == 0"), symptom("errors", "signals.size() > 0")],
    ],
)
def test_a_runbook_that_matches_an_incident_that_shows_nothing_is_told(symptoms):
    scaled = [step("scale", factorPercent="150")]
    (finding,) = found(symptoms=symptoms, remediations=scaled)
    assert "matches an Incident that shows nothing at all" in finding.message
    again = found(symptoms=symptoms, remediations=scaled, state="Draft")
    assert again == [finding], "a draft is meant to be used one day"


ROLLED_OUT = 'changes.exists(c, c.kind == "Rollout" && c.ageSeconds < 600.0)'


@pytest.mark.parametrize(
    ("expression", "necessity", "count"),
    [
        (ROLLED_OUT, "Supporting", 1),
        (ROLLED_OUT, "Required", 0),
        ("workload.stuck", "Required", 0),
        ('"RolloutStuck" in workload.aspects', "Required", 0),
    ],
)
def test_who_takes_a_rollout_back_must_ask_for_one(expression, necessity, count):
    """Any trouble with calls would have been blamed on whatever was rolled out last."""
    symptoms = [SOUND["symptoms"][0], symptom("asked", expression, necessity=necessity)]
    said = found(symptoms=symptoms, remediations=[step("scale", factorPercent="150"), step("rollback")])
    assert [(f.place, f.level) for f in said] == [("step 1", Level.WARNING)] * count
    assert all(ROLLED_OUT in f.message for f in said)
    assert found(symptoms=symptoms, remediations=[step("scale", factorPercent="150")]) == []


def test_a_step_that_is_not_for_a_kind_is_passed_over_where_another_one_is():
    steps = [step("scale", factorPercent="150"), step("rollback")]
    assert found(kinds=["Deployment", "DaemonSet"], remediations=steps) == []
    (alone,) = found(kinds=["DaemonSet"], remediations=steps)
    assert (alone.level, alone.place) == (Level.ERROR, "step 0")


@pytest.mark.parametrize(
    ("spec", "level", "said"),
    [
        ({"guidance": " \n"}, Level.WARNING, "spec.guidance: missing"),
        ({"guidance": "", "remediations": []}, Level.ERROR, "spec.guidance: missing"),
        ({"verify": {"timeoutSeconds": 60, "stableSeconds": 60}}, Level.ERROR, "raise timeoutSeconds"),
        ({"verify": {"timeoutSeconds": 30, "settleSeconds": 30}}, Level.WARNING, "settleSeconds (30)"),
        ({"kinds": ["Deploymnet"]}, Level.ERROR, "no Watch has a Deploymnet as its target"),
        ({"kinds": ["Job"]}, Level.ERROR, "rollback cannot be done to a Job, only to a "),
        ({"kinds": ["Job", "Deployment"]}, Level.WARNING, "rollback cannot be done to a Job, only to a "),
    ],
)
def test_what_else_makes_a_runbook_useless(spec, level, said):
    (finding,) = found(**spec)
    assert finding.level is level
    assert said in str(finding)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('"abc"', "asks nothing of the evidence"),
        ("false", "asks nothing of the evidence"),
        ('1 == "1"', "asks nothing of the evidence"),
        ("signals.size()", "says a number, and must say whether something is so"),
        ("target.name", "says a text, and must say whether something is so"),
        ("signals.map(s, s.value)", "says a list, and must say whether something is so"),
        ('signals.size() > "a"', "what does not go together"),
        ("signals.exists(s, s.kind)", "what does not go together"),
        ('signals.exists(s, s.value > 1.0 || s.value > "a")', "what does not go together"),
        ('signals.exists(s, s.state == "Firing" && s.value > "5")', "what does not go together"),
        ("!workload", "what does not go together"),
        ('workload.troubles.exists(t, t.reason == "x")', "t.reason does not exist; it is a text"),
        ('workload.troubles.exists(t, t == "x" || t.reason == "y")', "t.reason does not exist; it is a text"),
        ('signals.filter(x, x.kind == "Latency").exists(s, s.valu > 1.0)', "asks for 'valu', which no evidence has"),
        ('signals.exists(s, s.value == "5")', "s.value is a number, and never a text"),
        ('workload.aspects.matches("(")', "unknown function matches"),
    ],
)
def test_a_symptom_that_evidence_cannot_answer_is_an_error(expression, said):
    """CEL is untyped here: it compiled, was never found, and a rehearsal said that it might be chosen."""
    (finding,) = asking(expression, "Required")
    assert (finding.place, finding.level) == ("symptom asked", Level.ERROR)
    assert said in finding.message


@pytest.mark.parametrize(
    "expression",
    [
        "changes.size() > 0 && changes[0].ageSeconds < 60.0",
        "changes[30].ageSeconds < 60.0",
        "100 * workload.ready / workload.desired < 50 || workload.desired / workload.ready > 2",
        'changes.exists(c, int(c.subject) > 3) || "OOMKilled" in workload.aspects',
    ],
)
def test_what_some_evidence_does_not_answer_is_left_alone(expression):
    assert asking(expression) == []


def test_verify_must_be_thought_about():
    (finding,) = lint(runbook(**{k: v for k, v in SOUND.items() if k != "verify"}), CATALOGUE)
    assert (finding.place, finding.level) == ("spec.verify", Level.ERROR)


def test_errors_come_first():
    told = found(kinds=["Job", "Deployment"], verify={"timeoutSeconds": 60, "stableSeconds": 60})
    assert [(f.level, f.place) for f in told] == [(Level.ERROR, "spec.verify"), (Level.WARNING, "step 0")]
