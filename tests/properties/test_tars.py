"""Image shards: damaged bytes, and members that a tar may have and a shard never has."""

import tarfile

from hypothesis import given
from hypothesis import strategies as st

from daitir.shards import Picture, ShardPictures, read_shard, shard_provenance, write_shard

from .malformed import EDITS, NAMES, damage, ends_well

RECORD = {"stage": "generate", "options": {}, "inputs": {}, "versions": {}}
PICTURES = [Picture(f"d{n}_r0_k1", b"picture %d" % n, "png", {"k": 1, "prompt": "a star"}) for n in range(3)]


def read(file):
    return list(read_shard(file))


def read_by_key(file):
    pictures = ShardPictures([file])
    return {key: pictures.read(key) for key in sorted(pictures.keys())}


@given(data=st.data())
def test_a_damaged_shard_is_refused_or_what_it_was(folder, data):
    """No byte of a tar changes, hides or adds a picture unseen."""
    good, file = folder / "good.tar", folder / "damaged.tar"
    if not good.exists():
        write_shard(good, PICTURES, RECORD)
    file.write_bytes(damage(good.read_bytes(), data.draw(EDITS)))
    found = ends_well(read, file)
    assert found is None or found == PICTURES
    found = ends_well(read_by_key, file)
    assert found is None or found == {picture.key: picture.data for picture in PICTURES}
    ends_well(shard_provenance, file)


@st.composite
def headers(draw):
    """A member as nobody of ours writes one: types, names, sizes, links and extended headers."""
    member = tarfile.TarInfo(draw(MEMBERS))
    member.type = draw(st.sampled_from([tarfile.REGTYPE, *TYPES]))
    member.linkname = draw(
        st.sampled_from(["", "d0_r0_k1.png", "/etc/passwd", "/etc/picture.png", "../x.png"])
    )
    member.size = draw(st.sampled_from([0, 3, 3, 3, 512, 10**6, 2**33 - 1]))
    extended = st.sampled_from(
        ["path", "size", "linkpath", "GNU.sparse.size", "GNU.sparse.map", "hdrcharset", "x"]
    )
    values = st.sampled_from(
        ["1", "-512", "99999999999999", "/etc/passwd", "0,1", "BINARY", "", "d0_r0_k1.png"]
    )
    member.pax_headers = draw(st.dictionaries(extended, values, max_size=2))
    return member


TYPES = [
    tarfile.AREGTYPE,
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
]
TYPES += [tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME, b"Z"]
MEMBERS = st.sampled_from(["d0_r0_k1.png", "d0_r0_k1.json", "d9_r0_k1.png", "d9_r0_k1.json", "x.gif"]) | NAMES


@given(members=st.lists(headers(), min_size=1, max_size=3), data=st.data())
def test_a_shard_with_other_members_is_refused(folder, members, data):
    """Put between its own, before them or behind them, with the seal left as it was."""
    good, file = folder / "whole.tar", folder / "other.tar"
    if not good.exists():
        write_shard(good, PICTURES, RECORD)
    with (
        tarfile.open(good) as old,
        tarfile.open(file, "w", format=tarfile.PAX_FORMAT, pax_headers=old.pax_headers) as new,
    ):
        own = [(member, old.extractfile(member).read()) for member in old]
        for member in members:
            own.insert(data.draw(st.integers(0, len(own))), (member, b"{}\n"))
        for member, content in own:
            try:
                head = member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            except (ValueError, UnicodeError):
                continue
            new.fileobj.write(head + content + bytes(-len(content) % tarfile.BLOCKSIZE))
            new.offset = new.fileobj.tell()
    found = ends_well(read, file)
    assert found is None or found == PICTURES
    ends_well(shard_provenance, file)


def forged(file, members, record=RECORD):
    """A shard whose seal fits whatever is in it."""
    pictures = [Picture(f"d{n}_r0_k1", b"123", "png", {"k": 1}) for n in range(2)]
    write_shard(file, pictures, record)
    return file, members
