"""kubectl as a person would call it (shell)."""

import subprocess
from pathlib import Path

from hemostat.errors import Refused

DEADLINE_SECONDS = 60.0


class Kubectl:
    """Runs kubectl in the project's folder with the kubeconfig of the environment."""

    def __init__(self, root: Path, context: str | None = None, kubeconfig: str | None = None) -> None:
        self._root = root
        self._where = (
            *(("--context", context) if context is not None else ()),
            *(("--kubeconfig", kubeconfig) if kubeconfig is not None else ()),
        )

    def __call__(self, *arguments: str) -> str:
        """Return what it prints. `Refused` (Kubectl) with what it says when it fails."""
        shown = "kubectl " + " ".join(arguments)
        try:
            done = subprocess.run(
                ["kubectl", *self._where, *arguments],
                cwd=self._root,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=DEADLINE_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise Refused("Kubectl", 'kubectl is not on PATH: eval "$(python -m hemostat_chaos.cluster env)"') from None
        except subprocess.TimeoutExpired:
            raise Refused("Kubectl", f"{shown}: no end after {DEADLINE_SECONDS:g} s") from None
        if done.returncode != 0:
            raise Refused("Kubectl", f"{shown}: {(done.stderr or done.stdout).strip()[-1000:]}")
        return done.stdout
