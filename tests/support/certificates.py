# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities, and certificates for servers and clients, made by the openssl command in a test's own folder.

    made = Certificates(folder)
    cert, key = made.issue("db.internal", sans=["db.internal"], ips=["127.0.0.1"])   # paths as text, PEM
    other = made.authority("another")                                               # .ca, .issue(...) like made's own
"""
import itertools
import os
import pathlib
import pwd
import subprocess

COUNTER = itertools.count(1)


class Certificates:
    """One authority, whose certificate is `ca`. Every call of issue() writes new files."""

    def __init__(self, folder, name="leasehold test authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.ca, self.ca_key = self._paths("ca")
        _openssl("req", "-x509", "-new", *NEW_KEY, "-keyout", self.ca_key, "-out", self.ca, "-days", "30",
                 "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        os.chmod(self.ca, 0o644)

    def authority(self, name="another authority"):
        """One that signs certificates which this one's friends do not trust."""
        return Certificates(self.folder / f"authority{next(COUNTER)}", name)

    def issue(self, name, sans=(), ips=(), expired=False, ca=None, owner=None, rsa=None):
        """(cert, key) for the common name; `ca`: another Certificates signs it; `owner`: who may read the key beside us;
        `rsa`: bits of such a key, instead of one of an elliptic curve."""
        ca = ca or self
        cert, key = self._paths("".join(c if c.isalnum() else "_" for c in name)[:40] or "nameless")
        request, extensions = cert + ".csr", cert + ".ext"
        subject = "/CN=" + name.replace("\\", "\\\\").replace("/", "\\/") if name else "/O=nameless"
        _openssl("req", "-new", *(["-newkey", f"rsa:{rsa}", "-nodes"] if rsa else NEW_KEY), "-keyout", key, "-out", request, "-subj", subject, "-utf8")
        names = [f"DNS:{san}" for san in sans] + [f"IP:{ip}" for ip in ips]
        pathlib.Path(extensions).write_text("basicConstraints=CA:FALSE\n" +
                                            (f"subjectAltName={','.join(names)}\n" if names else ""))
        _openssl("x509", "-req", "-in", request, "-CA", ca.ca, "-CAkey", ca.ca_key, "-out", cert, "-extfile", extensions,
                 "-set_serial", str(int.from_bytes(os.urandom(8), "big")), "-days", "-1" if expired else "30")
        os.chmod(cert, 0o644)
        os.chmod(key, 0o600)
        if owner is not None and os.geteuid() == 0:
            os.chown(key, pwd.getpwnam(owner).pw_uid, -1)
        return cert, key

    def _paths(self, name):
        path = self.folder / f"{name}-{next(COUNTER)}"
        return f"{path}.crt", f"{path}.key"


NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
