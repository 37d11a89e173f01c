"""The part of the Hugging Face Hub's interface that saved stacks need, on this machine.

Repositories are dictionaries in memory. Files travel inside commits, as small ones do there.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import urllib.parse


class Hub:
    """Attributes: url; files: {repository: {name: bytes}}; requests: ["GET /path", …]."""

    def __init__(self):
        self.files, self.requests, self.url = {}, [], None

    def revision(self, repository):
        """A commit's name: of what the repository holds."""
        content = repr(sorted(self.files[repository].items())).encode()
        return hashlib.sha1(content).hexdigest()


@contextlib.contextmanager
def served():
    """Serves an empty `Hub` on a free port."""
    hub = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        words = self._words()
        if words[:2] == ["api", "models"]:
            return self._about("/".join(words[2:4]), words[4:])
        return self._file("/".join(words[:2]), "/".join(words[4:]))

    do_HEAD = do_GET

    def do_POST(self):
        words, body = self._words(), self._body()
        if words[:3] == ["api", "repos", "create"]:
            name = (
                f"{body['organization']}/{body['name']}"
                if body.get("organization")
                else body["name"]
            )
            self.hub.files.setdefault(name, {})
            return self._json({"url": f"{self.hub.url}/{name}", "name": name, "id": name})
        if words == ["api", "validate-yaml"]:  # the head of a README.md
            return self._json({"errors": [], "warnings": []})
        repository = "/".join(words[2:4])
        if words[4] == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in body["files"]
            ]
            return self._json({"files": files})
        for line in body:
            if line["key"] == "file":
                value = line["value"]
                self.hub.files[repository][value["path"]] = base64.b64decode(value["content"])
        revision = self.hub.revision(repository)
        url = f"{self.hub.url}/{repository}/commit/{revision}"
        return self._json({"commitUrl": url, "commitOid": revision, "success": True})

    def _about(self, repository, rest):
        if repository not in self.hub.files:
            return self._json({"error": "Repository not found"}, 404, "RepoNotFound")
        files = self.hub.files[repository]
        if rest[:1] == ["tree"]:
            entries = [
                {
                    "type": "file",
                    "path": name,
                    "size": len(content),
                    "oid": hashlib.sha1(content).hexdigest(),
                }
                for name, content in files.items()
            ]
            return self._json(entries)
        siblings = [{"rfilename": name} for name in files]
        revision = self.hub.revision(repository)
        return self._json(
            {"id": repository, "modelId": repository, "sha": revision, "siblings": siblings}
        )

    def _file(self, repository, name):
        files = self.hub.files.get(repository, {})
        if name not in files:
            return self._json({"error": "Entry not found"}, 404, "EntryNotFound")
        content = files[name]
        headers = {
            "X-Repo-Commit": self.hub.revision(repository),
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
        }
        return self._send(200, content, "application/octet-stream", headers)

    # HTTP

    def _words(self):
        self.hub.requests.append(f"{self.command} {self.path}")
        path = urllib.parse.urlsplit(self.path).path
        return [urllib.parse.unquote(word) for word in path.strip("/").split("/")]

    def _body(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "ndjson" in self.headers.get("Content-Type", ""):
            return [json.loads(line) for line in text.splitlines()]
        return json.loads(text)

    def _json(self, value, status=200, code=None):
        headers = {"X-Error-Code": code} if code else {}
        self._send(status, json.dumps(value).encode(), "application/json", headers)

    def _send(self, status, content, kind, headers):
        self.send_response(status)
        for name, value in {
            **headers,
            "Content-Type": kind,
            "Content-Length": len(content),
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass
