"""Volumes of the swarm."""

from authz.facts.cluster_volumes import cluster_volume_facts, volume_update_facts
from tests.builders import a_call, a_known, words

WHOLE = {
    "Group": "g",
    "Availability": "drain",
    "AccessMode": {
        "Scope": "multi",
        "Sharing": "all",
        "MountVolume": {"FsType": "xfs", "MountFlags": ["suid", "dev"]},
        "BlockVolume": {},
    },
    "AccessibilityRequirements": {
        "Requisite": [{"Segments": {"zone": "a"}}],
        "Preferred": [{"Segments": {"zone": "b"}}],
    },
    "CapacityRange": {"RequiredBytes": 5, "LimitBytes": 9},
    "Secrets": [{"Key": "k", "Secret": "s1"}],
}


def test_every_wish_is_told():
    """Whoever changes a volume may ask for the same as whoever makes it."""
    known = a_known(secret={"s1": {"Spec": {"Name": "db"}}})

    assert words(volume_update_facts(a_call("VolumeUpdate", "v", {"Spec": WHOLE}), known)) == [
        "volume.cluster:on",
        "volume.cluster:group=g",
        "volume.cluster:availability=drain",
        "volume.cluster:scope=multi",
        "volume.cluster:sharing=all",
        "volume.cluster:fs=xfs",
        "volume.cluster:flag=suid",
        "volume.cluster:flag=dev",
        "volume.cluster:block=on",
        "volume.cluster:place=zone=a",
        "volume.cluster:size=5",
        "secret:s1",
        "secret:db",
    ]


def test_an_empty_specification_makes_a_volume_of_the_swarm():
    """None makes an ordinary one."""
    assert words(cluster_volume_facts({"Spec": {}}, "Spec", a_known())) == ["volume.cluster:on"]
    assert words(cluster_volume_facts({}, "Spec", a_known())) == []
