"""Kafka's own jars from Maven Central, and a Java to run them: fetched once and kept."""

import os
import re
import shutil
import ssl
import warnings
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.utils import CryptographyDeprecationWarning
from tests.api.programs import debian

from hemostat_chaos.cluster import atomic, run
from hemostat_chaos.cluster.constants import PACKAGES_DEADLINE
from hemostat_chaos.cluster.paths import cache_root

JARS = {
    "org.apache.kafka:kafka_2.13": "4.3.1",
    "org.apache.kafka:kafka-tools": "4.3.1",
    "org.slf4j:slf4j-simple": "1.7.36",
}
CONTENT = "43794989053c76eb"
"""Hash of the names and contents of all jars: what was tested, whatever Maven resolves one day."""
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
JAVA = 17
"""What Kafka 4's broker asks for."""
MAVEN = (
    *("aopalliance", "atinject-jsr330-api", "cdi-api", "commons-cli", "commons-io", "commons-lang3"),
    *("geronimo-annotation-1.3-spec", "guava", "guice", "jansi", "maven-resolver", "maven-shared-utils", "maven3-core"),
    *("plexus-cipher", "plexus-classworlds", "plexus-component-annotations", "plexus-interpolation"),
    *("plexus-sec-dispatcher", "plexus-utils2", "sisu-inject", "sisu-plexus", "slf4j"),
    *("wagon-file", "wagon-http-shaded", "wagon-provider-api"),
)


@cache
def jars() -> Path:
    """Return the folder of Kafka's jars and of all they depend on."""
    folder = cache_root() / "programs" / f"kafka-{CONTENT}"
    if folder.exists():
        return folder
    with atomic.scratch(folder.parent, "kafka") as work, atomic.publish(folder) as lib:
        (work / "pom.xml").write_text(_pom())
        argv = [
            *(_maven(), "--batch-mode", "--strict-checksums", "--file", work / "pom.xml", COPY),
            *(f"-Dmaven.repo.local={work / 'repository'}", f"-DoutputDirectory={lib}", "-DincludeScope=runtime"),
        ]
        env = {"JAVA_HOME": str(java().resolve().parents[1])}
        hint = "make Maven Central reachable, then run the same command again"
        run.logged(argv, cache_root() / "log" / "kafka.log", deadline=PACKAGES_DEADLINE, env=env, hint=hint)
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
    """Return a Java: the machine's own if it is new enough, else Debian's."""
    own = shutil.which("java")
    version = re.search(r'version "(\d+)', run.attempt([own, "-version"]).stderr) if own else None
    if own and version and int(version[1]) >= JAVA:
        return Path(own)
    (found,) = _debian().glob(f"usr/lib/jvm/java-{JAVA}-openjdk-*/bin/java")
    return found


def _maven() -> Path:
    own = shutil.which("mvn")
    return Path(own) if own else _debian() / "usr/share/maven/bin/mvn"


def _debian() -> Path:
    packages = [f"openjdk-{JAVA}-jre-headless", "maven", *(f"lib{part}-java" for part in MAVEN)]
    return debian("java", packages, _settle)


def _settle(root: Path) -> None:
    """Make what was unpacked find itself where it is, and give Java the certificates that this machine trusts."""
    for folder, folders, files in os.walk(root):
        for link in (Path(folder, name) for name in (*folders, *files)):
            if link.is_symlink() and link.readlink().is_absolute():
                target = root / link.readlink().relative_to("/")
                link.unlink()
                link.symlink_to(os.path.relpath(target, folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)  # some roots are older than today's rules
        trusted = x509.load_pem_x509_certificates(Path(ssl.get_default_verify_paths().cafile or "").read_bytes())
    entries = [pkcs12.PKCS12Certificate(certificate, str(i).encode()) for i, certificate in enumerate(trusted)]
    (home,) = root.glob(f"usr/lib/jvm/java-{JAVA}-openjdk-*")
    store = home / "lib/security/cacerts"
    store.unlink()
    store.write_bytes(pkcs12.serialize_java_truststore(entries, NoEncryption()))
