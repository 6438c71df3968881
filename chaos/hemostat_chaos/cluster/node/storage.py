"""What claims of volumes get on a node: folders that any user may write to.

Kind itself would install the provisioner of the controller manager, whose folders only root may write to; the one that
kind's own image brings needs an image that is not there.
"""

from __future__ import annotations

from pathlib import Path

VOLUMES = 8
_FOLDER = Path("srv/volumes")
MANIFEST = Path("kind/manifests/default-storage.yaml")
"""Kind applies it where it is there."""
_CLASS = """apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
"""
_VOLUME = """---
apiVersion: v1
kind: PersistentVolume
metadata:
  name: node-%(number)d
spec:
  storageClassName: standard
  capacity: {storage: 2Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: /%(path)s, type: Directory}
"""


def add(root: Path) -> None:
    """Put folders and manifest into the tree of a node."""
    paths = [_FOLDER / str(number) for number in range(VOLUMES)]
    for path in paths:
        (root / path).mkdir(parents=True)
        (root / path).chmod(0o777)
    (root / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
    volumes = (_VOLUME % {"number": number, "path": path} for number, path in enumerate(paths))
    (root / MANIFEST).write_text(_CLASS + "".join(volumes))
