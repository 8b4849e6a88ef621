"""How near the devices of a guest are to be, as its flavor or image says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from innkeeper.config.nearest import quoted
from innkeeper.objects.request import NumaPolicy
from innkeeper.requests.numa_words.words import Saying, refused

FLAVOR_POLICY_KEY: Final = "hw:pci_numa_affinity_policy"
IMAGE_POLICY_KEY: Final = "hw_pci_numa_affinity_policy"


def read_device_policy(flavor: Mapping[str, str], image: Mapping[str, str]) -> NumaPolicy | None:
    """What `hw:pci_numa_affinity_policy` and `hw_pci_numa_affinity_policy` agree on.

    Raises:
        BadRequest: they disagree, or a word is none.
    """
    sayings = [
        Saying(key, words[key])
        for key, words in ((FLAVOR_POLICY_KEY, flavor), (IMAGE_POLICY_KEY, image))
        if words.get(key)
    ]
    if len({said.text for said in sayings}) > 1:
        message = f"{' but '.join(map(str, sayings))}: flavor and image disagree"
        raise refused("ImagePCINUMAPolicyForbidden", IMAGE_POLICY_KEY, message)
    return _read_policy(sayings[0]) if sayings else None


def _read_policy(said: Saying) -> NumaPolicy:
    try:
        return NumaPolicy(said.text)
    except ValueError:
        problem = f"is no policy; there are {', '.join(NumaPolicy)}"
        message = f"{said.key} {quoted(said.text)} {problem}"
        raise refused("InvalidPCINUMAAffinity", said.key, message) from None
