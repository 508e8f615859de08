"""What dpkg reads of the package: its fields, the checksums of its files, and what runs when it comes and goes."""

import hashlib
from pathlib import Path

from deb.files import COMPILE, DOCUMENTS, write_text
from deb.programs import HOME, PYTHONS, ROOT
from spark_mode import __version__

MAINTAINER = "The spark-mode authors <spark-mode@localhost>"
NEXT_PYTHON = f"3.{int(PYTHONS[-1].partition('.')[2]) + 1}"
CONTROL = """\
Package: spark-mode
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {kilobytes}
Depends: python3 (>= {first}), python3 (<< {next}), libc6
Recommends: docker-ce-cli | docker-cli | docker.io, docker-compose-plugin | docker-compose-v2 | docker-compose
Section: admin
Priority: optional
Description: decides what runs on a DGX Spark
 Training and audio are never active together, and nothing starts that does
 not fit in memory: spark-mode switches what Docker Compose profiles run by
 the rules of a file, shows its arithmetic, and brings back what ran before
 when a switch fails.
"""
CHANGES = """\
spark-mode ({version}) unstable; urgency=medium

  * What has changed stands in NEWS.md.gz.

 -- {maintainer}  Thu, 01 Jan 1970 00:00:00 +0000
"""
SCRIPTS = ("postinst", "prerm", "postrm")


def write_control(tree: Path, architecture: str) -> None:
    """Write it beside the files of a tree, which is complete but for this."""
    changes = CHANGES.format(version=__version__, maintainer=MAINTAINER)
    write_text(tree, f"{DOCUMENTS}/changelog.gz", changes)
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.read_bytes()[:2] == b"#!" else 0o644)
    control = CONTROL.format(
        version=__version__,
        architecture=architecture,
        maintainer=MAINTAINER,
        kilobytes=sum(path.stat().st_size for path in files) // 1024,
        first=PYTHONS[0],
        next=NEXT_PYTHON,
    )
    sums = "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(tree)}\n" for path in files
    )
    write_text(tree, "DEBIAN/control", control)
    write_text(tree, "DEBIAN/md5sums", sums)
    for name in SCRIPTS:
        script = (ROOT / "deb/scripts" / name).read_text().replace("@COMPILE@", COMPILE).replace("@HOME@", f"/{HOME}")
        write_text(tree, f"DEBIAN/{name}", script, 0o755)
