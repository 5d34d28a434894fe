"""What the hub and its cache on this machine have of a model; a hub that is not to be reached is no error."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, constants, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, httpx, validate_repo_id

from daitir.preflight.completeness import lacking, lacking_in, loaded

SECONDS = 5.0  # for one answer of the hub
INDEXES = ("model_index.json", "config.json")


@dataclass(frozen=True)
class Entry:
    """What is known of a model: where it is, its commit and the bytes of its download, if known."""

    state: Literal["cached", "download", "missing"]
    detail: str = ""
    commit: str | None = None
    size: int = 0


class Hub:
    """Looks models up, first in the cache, then at the hub; once it does not answer it is not asked again."""

    def __init__(self, endpoint: str | None = None, cache: Path | None = None) -> None:
        self.endpoint = endpoint or constants.ENDPOINT
        self.cache = Path(cache or constants.HF_HUB_CACHE)
        self.entries: dict[tuple[str, str | None, tuple[str, ...]], Entry] = {}
        self.silence = "offline: HF_HUB_OFFLINE is set" if constants.is_offline_mode() else ""

    def look(self, model: str, revision: str | None, without: tuple[str, ...] = ()) -> Entry:
        """Return what is known of a model; ``without`` are parts of a pipeline that nobody loads."""
        asked = (model, revision, without)
        if asked not in self.entries:
            self.entries[asked] = self._look(*asked)
        return self.entries[asked]

    def _look(self, model: str, revision: str | None, without: tuple[str, ...]) -> Entry:
        if not is_hub_id(model):
            return Entry("missing", "there is no such folder, and it is no hub id (owner/name)")
        found = self._in_cache(model, revision, without)
        if found is not None and found.state == "cached":
            return found
        entry = self._at_hub(model, revision, without)
        if entry.state == "missing" and found is not None:
            return Entry("missing", f"{found.detail}; {entry.detail}", found.commit)
        return entry

    @property
    def bytes_to_download(self) -> int:
        """Bytes of the models looked up so far that are not in the cache."""
        return sum(entry.size for entry in self.entries.values())

    def read_json(self, model: str, revision: str | None, name: str) -> Any:
        """Return a JSON file of a model, from the cache or from the hub; None if it is not to be had."""
        if not is_hub_id(model):
            return None
        cached = self._cached_file(model, revision, name)
        if cached is None and self.silence:
            return None
        try:
            if cached is not None:
                return json.loads(cached.read_text(encoding="utf-8"))
            url = hf_hub_url(model, name, revision=revision, endpoint=self.endpoint)
            answer = self._session.get(url, headers=build_hf_headers(), timeout=SECONDS)
            return answer.json() if answer.is_success else None
        except (httpx.HTTPError, OfflineModeIsEnabled, ValueError):
            return None

    def _in_cache(self, model: str, revision: str | None, without: tuple[str, ...]) -> Entry | None:
        folder = self.folder(model, revision)
        if folder is None:
            return None
        fault = lacking_in(folder, without)
        if fault:
            return Entry("missing", f"the cache's copy is not complete ({fault})", folder.name)
        return Entry("cached", f"in the cache {self.cache}", folder.name)

    def folder(self, model: str, revision: str | None) -> Path | None:
        """Return the folder of a model in the cache."""
        files = (self._cached_file(model, revision, name) for name in INDEXES)
        return next((file.parent for file in files if file is not None), None)

    def _cached_file(self, model: str, revision: str | None, name: str) -> Path | None:
        found = try_to_load_from_cache(model, name, cache_dir=self.cache, revision=revision)
        return Path(found) if isinstance(found, str) else None

    def _at_hub(self, model: str, revision: str | None, without: tuple[str, ...]) -> Entry:
        if self.silence:
            return Entry("missing", f"not in the cache; it cannot be checked ({self.silence})")
        page = f"{self.endpoint}/{model}"
        try:
            info = self._api.model_info(model, revision=revision, timeout=SECONDS, files_metadata=True)
            if info.gated:
                self._session.timeout = SECONDS
                self._api.auth_check(model)
        except GatedRepoError:
            return Entry("missing", f"gated: accept its licence at {page}, then log in with `hf auth login`")
        except RevisionNotFoundError:
            return Entry("missing", f"{page} has no revision {revision}")
        except RepositoryNotFoundError:
            return Entry("missing", f"{page} does not exist or is private: mend the id or `hf auth login`")
        except (HfHubHTTPError, httpx.HTTPError, OfflineModeIsEnabled, OSError) as error:
            self.silence = f"offline: no answer from {self.endpoint}, {type(error).__name__}"
            return Entry("missing", f"not in the cache; it cannot be checked ({self.silence})")
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
        fault = lacking(sizes, without=without)
        if fault:
            return Entry("missing", f"{page} is not usable: {fault}", info.sha)
        terms = "its licence is accepted" if info.gated else ""
        return Entry("download", terms, info.sha, sum(sizes[name] for name in loaded(sizes, without)))

    @cached_property
    def _api(self) -> HfApi:
        return HfApi(endpoint=self.endpoint)

    @property
    def _session(self) -> Any:
        return get_session()


def is_hub_id(name: str) -> bool:
    """Whether a hub may have a model of this name."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True
