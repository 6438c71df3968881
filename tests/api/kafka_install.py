"""Kafka's own jars from Maven Central, and a Java to run them: fetched once and kept."""

import re
import shutil
from functools import cache
from pathlib import Path

from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.constants import PACKAGES_DEADLINE
from hemostat_chaos.cluster.paths import cache_root

JARS = {
    "org.apache.kafka:kafka_2.13": "4.3.1",
    "org.apache.kafka:kafka-tools": "4.3.1",
    "org.slf4j:slf4j-simple": "1.7.36",
}
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
CONTENT = "43794989053c76eb"
"""Hash of the names and contents of all jars: what was tested, whatever Maven resolves one day."""
JAVA = 17
"""What Kafka 4's broker asks for."""


@cache
def jars() -> Path:
    """Return the folder of Kafka's jars and of all they depend on."""
    folder = cache_root() / "programs" / f"kafka-{CONTENT}"
    if folder.exists():
        return folder
    with atomic.scratch(folder.parent, "kafka") as work, atomic.publish(folder) as lib:
        (work / "pom.xml").write_text(_pom())
        argv = [
            *(maven(), "--batch-mode", "--strict-checksums", "--file", work / "pom.xml", COPY),
            *(f"-Dmaven.repo.local={work / 'repository'}", f"-DoutputDirectory={lib}", "-DincludeScope=runtime"),
        ]
        hint = "make Maven Central reachable, then run the same command again"
        run.logged(argv, cache_root() / "log" / "kafka.log", deadline=PACKAGES_DEADLINE, hint=hint)
        found = atomic.key_of_tree(lib)
        assert found == CONTENT, f"Maven brought other jars than were tested: {found}, not {CONTENT}"
    return folder


def _pom() -> str:
    dependencies = ""
    for name, version in JARS.items():
        group, artifact = name.split(":")
        inside = f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        dependencies += f"<dependency>{inside}</dependency>"
    own = "<groupId>test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>"
    return f"<project><modelVersion>4.0.0</modelVersion>{own}<dependencies>{dependencies}</dependencies></project>"


@cache
def java() -> Path:
    """Return a Java that is new enough."""
    own = shutil.which("java")
    said = run.attempt([own, "-version"]).stderr if own else ""
    version = re.search(r'version "(\d+)', said)
    assert own, version
    assert int(version[1]) >= JAVA
    return Path(own)


def maven() -> Path:
    return Path(shutil.which("mvn"))
