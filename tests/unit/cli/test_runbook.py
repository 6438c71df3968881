"""`hemostat runbook`: what is printed, and the exit code that a pipeline looks at. None of it writes to a cluster."""

import json
from pathlib import Path

import pytest
import yaml
from tests.unit.builders import T0
from tests.unit.samples import SAMPLES
from typer.testing import CliRunner

from hemostat.cli.main import app
from hemostat.cli.session import Session
from hemostat.errors import Broken, Refused

GOOD = """
apiVersion: hemostat.dev/v1alpha1
kind: Runbook
metadata: {name: errors, namespace: shop, managedFields: [{manager: kubectl}]}
spec:
  cause: Callers see errors.
  symptoms:
    - name: errors
      necessity: Required
      expression: signals.exists(s, s.state == "Firing" && s.kind == "ErrorRate")
    - name: rolled-out
      necessity: Required
      expression: changes.exists(c, c.kind == "Rollout")
  guidance: Look first.
  remediations: [{action: rollback}]
  verify: {timeoutSeconds: 120}
"""
OTHER = GOOD.replace("name: errors, namespace", "name: slow, namespace").replace('"ErrorRate"', '"Latency"')


def call(*arguments):
    return CliRunner().invoke(app, ["runbook", *map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    def write(text, name="runbooks.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_runbooks_that_are_sound_pass(file):
    done = call("lint", file(f"{GOOD}---\n{OTHER}"))
    assert (done.exit_code, done.stdout) == (0, "1 file: 0 errors, 0 warnings\n")


def test_a_list_as_kubectl_prints_it_is_taken(file):
    items = [json.loads(json.dumps(d)) for d in yaml.safe_load_all(f"{GOOD}---\n{OTHER.replace('rollback', 'reboot')}")]
    done = call("lint", file(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})))
    assert "Runbook slow: step 0: no action reboot" in done.stdout


def test_a_warning_is_told_and_passes(file):
    path = file(GOOD.replace("guidance: Look first.", ""))
    done = call("lint", path)
    assert done.exit_code == 0
    assert f"warning: {path}: Runbook errors: spec.guidance: missing" in done.stdout


MERGES = "a0: &a0 {k: 1, l: 2}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(9)
)
"""Nine levels of nine merges: 775 million keys."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            GOOD.replace("ErrorRate", "ErrorRat"),
            'Runbook errors: symptom errors: s.kind is never "ErrorRat"; did you mean',
        ),
        (
            GOOD.replace("rollback}", "rollback, params: []}"),
            "Runbook errors: spec.remediations.0.params: unknown field",
        ),
        (GOOD.replace("timeoutSeconds: 120", 'timeoutSeconds: "120"'), "spec.verify.timeoutSeconds: Input should be"),
        (GOOD.replace("v1alpha1", "v1"), "Runbook errors: apiVersion must be hemostat.dev/v1alpha1"),
        (GOOD + "  kinds: [Job, Job]\n", "spec.kinds: Job is listed twice"),
        (f"{GOOD}---{GOOD}", "Runbook errors: metadata.name: two are named so"),
        ("kind: Watch", "has no Runbook"),
        (
            f"{GOOD}---{GOOD.replace('kind: Runbook', 'kind: Runbok')}",
            "Runbok is no kind of hemostat.dev/v1alpha1; did you mean Runbook?",
        ),
        (
            f"{GOOD}---{GOOD.replace('kind: Runbook', 'kind: Recipe')}",
            "Recipe is no kind of hemostat.dev/v1alpha1; they are Watch, Runbook",
        ),
        (f"{GOOD}---{GOOD.replace('kind: Runbook', '')}", "no object: it has no kind"),
        ("{", "not YAML"),
        (MERGES, "not YAML: more than 10,000 keys are merged into one mapping"),
    ],
)
def test_an_error_is_told_with_file_runbook_and_place_and_fails(file, text, said):
    path = file(text)
    done = call("lint", path)
    assert done.exit_code == 1
    assert f"error: {path}: " in done.stdout
    assert said in done.stdout


def test_what_is_for_others_may_stand_beside_runbooks(file):
    others = "apiVersion: v1\nkind: Service\n---\napiVersion: hemostat.dev/v1alpha1\nkind: Watch\n---\n"
    assert call("lint", file(f"{others}{GOOD}---\n")).stdout == "1 file: 0 errors, 0 warnings\n"


def test_standard_input_is_read_where_the_file_is_called_so():
    done = CliRunner().invoke(app, ["runbook", "lint", "-"], input=GOOD.replace("ErrorRate", "ErrorRat"))
    assert done.exit_code == 1
    assert "error: -: Runbook errors: symptom errors: s.kind is never" in done.stdout


def test_one_bad_file_does_not_hide_the_others(file):
    done = call("lint", file("{", "a.yaml"), file(GOOD.replace("rollback", "reboot"), "b.yaml"))
    assert done.stdout.endswith("2 files: 2 errors, 0 warnings\n")


def test_the_runbooks_of_this_project_pass():
    files = (Path(__file__).parents[3] / "remediations/runbooks").glob("*/*.yaml")
    books = [file for file in files if file.name != "kustomization.yaml"]
    assert call("lint", *books).stdout == f"{len(books)} files: 0 errors, 0 warnings\n"


def test_who_would_win_for_a_past_incident_and_why_not_the_others(file):
    done = call("test", file(f"{GOOD}---\n{OTHER}"), "--incident", SAMPLES)
    assert done.exit_code == 0
    assert "Runbook errors: 100 %  chosen" in done.stdout
    assert "Runbook slow: 50 %  not chosen: required symptom not found: errors" in done.stdout
    assert "RunbookMatched: Callers see errors." in done.stdout
    assert "At the time Matcher chose bad-rollout." in done.stdout


def test_what_was_chosen_before_a_person_denied_it_is_not_told_as_nothing(file):
    past = next(yaml.safe_load_all(SAMPLES.read_text()))
    status = past["status"]
    del status["diagnosis"]["runbookRef"]
    said = {"id": "E60", "key": "outcome/r", "kind": "Outcome", "subject": "rollback", "observedTime": T0.isoformat()}
    status["evidence"].append(said | {"summary": "rollback of Runbook bad-rollout was denied by a person: ada: no"})
    done = call("test", file(GOOD), "--incident", file(yaml.safe_dump(past), "past.yaml"))
    assert (
        "At the time bad-rollout was chosen; rollback of Runbook bad-rollout was denied by a person (E60), and nothing"
        in " ".join(done.stdout.split())
    )
    assert "workload.complete" in done.stdout.split("does not tell")[1]


def test_an_incident_in_a_list_is_found(file, raw):
    whole = {"apiVersion": "v1", "kind": "List", "items": [json.loads(json.dumps(raw["Incident"], default=str))]}
    past = file(yaml.safe_dump(whole), "incident.yaml")
    assert call("test", file(GOOD), "--incident", past).exit_code == 0


def test_no_winner_or_none_for_certain_fails(file):
    assert call("test", file(OTHER), "--incident", SAMPLES).exit_code == 1
    unsure = GOOD.replace('s.kind == "ErrorRate")', 's.kind == "ErrorRate") && workload.complete')
    done = call("test", file(unsure), "--incident", SAMPLES)
    assert done.exit_code == 1
    assert "not known" in done.stdout
    assert "not certain: errors might be chosen" in done.stdout


@pytest.mark.parametrize(
    ("books", "past", "said"),
    [
        (GOOD, "kind: Watch", "must hold one Incident, has 0"),
        (GOOD.replace("cause:", "case:"), None, "Runbook errors: spec.cause: Field required"),
        (f"{GOOD}---{GOOD}", None, "a second Runbook is named errors"),
    ],
)
def test_what_cannot_be_tried_is_refused(file, books, past, said):
    done = call("test", file(books), "--incident", SAMPLES if past is None else file(past, "i.yaml"))
    assert isinstance(done.exception, Refused)
    assert said in str(done.exception)


def test_an_incident_that_cannot_be_read_is_named(file):
    text = SAMPLES.read_text().split("---")[0].replace("fingerprint: 0123456789abcdef", "fingerprint: x")
    done = call("test", file(GOOD), "--incident", file(text, "i.yaml"))
    assert isinstance(done.exception, Broken)
    assert "Incident payment-1a2b3c4d cannot be read: spec.fingerprint" in str(done.exception)


class Cluster:
    """Reads only: whatever else is called fails."""

    def __init__(self, *objects):
        self.objects = objects

    def get(self, path):
        named = [o for o in self.objects if path.endswith(f"/{o['metadata']['name']}")]
        return named[0] if named or not path.startswith("/api/v1/namespaces/") else {"kind": "Namespace"}

    def list(self, path):
        return [o for o in self.objects if path.endswith(f"/{o['kind'].lower()}s")]


@pytest.fixture
def cluster(raw, monkeypatch):
    past = json.loads(json.dumps(raw["Incident"], default=lambda t: t.isoformat()))
    past["status"]["conditions"] = [
        {"type": "Resolved", "status": "True", "reason": "ClearedByItself", "lastTransitionTime": T0.isoformat()}
    ]
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: cls(Cluster(past), scope.namespace or "shop")))
    return past


def test_a_draft_is_printed_as_yaml_that_only_lacks_what_to_do(cluster, file):
    done = call("draft", "-n", "shop", "payment-1a2b3c4d")
    made = yaml.safe_load(done.stdout)
    assert made["metadata"] == {"name": "draft-payment-1a2b3c4d", "namespace": "shop"}
    assert made["spec"]["state"] == "Draft"
    assert "  guidance: |" in done.stdout
    assert call("test", file(done.stdout), "--incident", SAMPLES).exit_code == 0
    judged = call("lint", file(done.stdout))
    assert judged.exit_code == 1
    assert "1 error, 0 warnings" in judged.stdout
    assert "placeholder of a draft" in judged.stdout
    finished = done.stdout.replace("choose-an-action", "rollback")
    assert call("lint", file(finished)).exit_code == 0


def test_of_an_open_incident_there_is_no_draft(cluster):
    cluster["status"]["conditions"][0]["status"] = "False"
    done = call("draft", "payment-1a2b3c4d")
    assert isinstance(done.exception, Refused)
    assert "not resolved yet" in str(done.exception)
