"""Tar has many tricks; a shard that uses one is refused before anything in it is used."""

import os
import signal
import tarfile

import pytest

from daitir import members
from daitir.errors import DaitirError
from daitir.files import digest_bytes
from daitir.shards import Picture, ShardPictures, read_shard, write_shard

DRAWN = {"stage": "generate", "options": {"generator": {"kind": "diffusers"}}}
RELEASED = {"stage": "generate", "options": {"generator": {"kind": "released"}}}
NAME = "d0_r0_k1.png"


@pytest.fixture(autouse=True)
def in_time():
    """Nothing here takes seconds unless it waits for ever."""

    def stop(*_):
        raise AssertionError("it hangs")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)


@pytest.fixture
def shard(tmp_path):
    """A shard of three pictures that were drawn."""
    pictures = [Picture(f"d{n}_r0_k1", b"picture %d" % n, "png", {"k": 1}) for n in range(3)]
    write_shard(tmp_path / "shard.tar", pictures, DRAWN)
    return tmp_path / "shard.tar"


def headed(member, data=b""):
    """A member as the bytes that it is in a tar."""
    head = member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    return head + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def rebuilt(shard, change, **more):
    """Write the shard anew with other members under its own seal, which knows names and records alone."""
    with tarfile.open(shard) as tar:
        members = [(member, tar.extractfile(member).read() if member.isfile() else b"") for member in tar]
        headers = tar.pax_headers | more
    parts = change(members)
    head = tarfile.TarInfo.create_pax_global_header(headers)
    whole = head + b"".join(parts) + bytes(2 * tarfile.BLOCKSIZE)
    shard.write_bytes(whole + bytes(-len(whole) % tarfile.RECORDSIZE))


def as_it_was(members):
    return [headed(member, data) for member, data in members]


def first_is(**fields):
    """Other fields for the first header; ``raw`` patches its bytes, ``data`` is what the file holds."""
    patch, data = fields.pop("raw", None), fields.pop("data", b"picture 0")

    def change(members):
        member = members[0][0]
        for name, value in fields.items():
            setattr(member, name, value)
        first = bytearray(headed(member, data))
        if patch:
            place, new = patch
            first[place : place + len(new)] = new
            first[148:156] = b" " * 8
            first[148:156] = b"%06o\0 " % sum(first[:512])
        return [bytes(first), *as_it_was(members)[1:]]

    return change


def before_all(*parts):
    return lambda members: [*parts, *as_it_was(members)]


def extended(text):
    """An extended header, as bytes."""
    member = tarfile.TarInfo("header")
    member.type, member.size = tarfile.XHDTYPE, len(text)
    return headed(member, text)


def sized(size):
    """The size of a header in base 256, which may be huge or negative."""
    return (124, (b"\xff" if size < 0 else b"\x80") + size.to_bytes(11, "big", signed=True))


def named(name, type_=tarfile.REGTYPE, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = type_, link
    return headed(member)


def test_a_shard_built_anew_is_the_shard(shard):
    """So what is refused below is refused for its trick."""
    rebuilt(shard, as_it_was)
    assert [picture.data for picture in read_shard(shard)] == [b"picture 0", b"picture 1", b"picture 2"]


def members_of(shard):
    """The members, as they are read at once and as they are read one by one."""
    with tarfile.open(shard) as tar:
        first = tar.next()
        one_by_one = list(members._any_members(tar, shard, {"daitir.provenance"}, False))
    return members._plain_members(shard, first.offset), one_by_one


@pytest.mark.parametrize("count", [1, 9])
def test_headers_that_are_ours_are_read_at_once(tmp_path, count):
    """What is found is what tarfile finds, for contents of every length beside a block's."""
    lengths = [0, 1, 511, 512, 513, 1023, 1024, 70_000, 8**6]
    pictures = [Picture(f"d{n}_r0_k1", bytes(lengths[n]), "webp", {"k": n}) for n in range(count)]
    write_shard(tmp_path / "shard.tar", pictures, DRAWN)
    at_once, one_by_one = members_of(tmp_path / "shard.tar")
    assert at_once == one_by_one
    assert len(at_once) == 2 * count


@pytest.mark.parametrize("key", ["d" * 95 + "_r", "d" * 120])
def test_a_shard_with_another_header_is_read_one_by_one(tmp_path, key):
    """As one with a name too long for a plain header."""
    pictures = [Picture("a", b"picture 0", "png", {}), Picture(key, b"picture 1", "png", {})]
    write_shard(tmp_path / "shard.tar", pictures, DRAWN)
    at_once, one_by_one = members_of(tmp_path / "shard.tar")
    assert at_once is None
    assert [member.name for member in one_by_one] == ["a.png", "a.json", f"{key}.png", f"{key}.json"]
    assert [picture.data for picture in read_shard(tmp_path / "shard.tar")] == [b"picture 0", b"picture 1"]


@pytest.mark.parametrize("name", ["comment", "path", "size", "GNU.sparse.size"])
def test_a_shard_with_another_header_for_all_is_refused(shard, name):
    """It would count for every member."""
    rebuilt(shard, as_it_was, **{name: "3"})
    with pytest.raises(DaitirError, match=r"shard\.tar (holds|is damaged)"):
        list(read_shard(shard))


def test_a_record_that_is_a_link_is_refused(tmp_path):
    """Even where pictures are."""
    shard = linking(tmp_path, "/tmp/a.png")
    link = named("d0_r0_k1.json", tarfile.SYMTYPE, "/tmp/a.png")
    rebuilt(shard, lambda members: [as_it_was(members)[0], link])
    with pytest.raises(DaitirError, match=r"d0_r0_k1\.json', which is a link"):
        list(read_shard(shard))


TRICKS = {
    "a link to a file": first_is(type=tarfile.SYMTYPE, linkname="/etc/passwd", data=b"", size=0),
    "a link to a picture": first_is(type=tarfile.SYMTYPE, linkname="/tmp/a.png", data=b"", size=0),
    "a link to a picture beside it": first_is(type=tarfile.SYMTYPE, linkname="a.png", data=b"", size=0),
    "a hard link": first_is(type=tarfile.LNKTYPE, linkname="d1_r0_k1.png", data=b"", size=0),
    "a hard link to a file": first_is(type=tarfile.LNKTYPE, linkname="/etc/passwd", data=b"", size=0),
    "a device": first_is(type=tarfile.CHRTYPE, devmajor=1, devminor=5, data=b"", size=0),
    "a disk": first_is(type=tarfile.BLKTYPE, devmajor=8, devminor=0, data=b"", size=0),
    "a pipe": first_is(type=tarfile.FIFOTYPE, data=b"", size=0),
    "a folder": first_is(type=tarfile.DIRTYPE, data=b"", size=0),
    "a file in pieces": first_is(type=tarfile.CONTTYPE),
    "an unknown kind": first_is(type=b"Z"),
    "a sparse file": first_is(type=tarfile.GNUTYPE_SPARSE, raw=(483, b"77777777777\0")),
    "a sparse file of the new kind": first_is(
        pax_headers={"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "9999999999999"}
        | {"GNU.sparse.map": "0,9", "GNU.sparse.name": "x.png"}
    ),
    "another size in an extended header": first_is(pax_headers={"size": "3"}),
    "a huge size in an extended header": first_is(pax_headers={"size": "99999999999999"}),
    "a negative size in an extended header": before_all(extended(b"13 size=-512\n"), named("a.png")),
    "another name in an extended header": before_all(extended(b"23 path=d9_r0_k1.json\n\n"), named("x.png")),
    "another path in an extended header": before_all(extended(b"20 path=../../x.png\n"), named("x.png")),
    "a huge size": first_is(raw=sized(2**62)),
    "a size beyond the end": first_is(raw=sized(2**20)),
    "a negative size": first_is(raw=sized(-512)),
    "a very negative size": first_is(raw=sized(-(2**40))),
    "headers of headers": before_all(*[extended(b"9 a=b\n\n\n\n")] * 5000, named("x.png")),
    "a header of a huge size": before_all(bytes(headed(tarfile.TarInfo("h"))[:156]) + b"x" + bytes(355)),
    "a path up": before_all(named("../x.png")),
    "a whole path": before_all(named("/tmp/x.png")),
    "a path": before_all(named("sub/x.png")),
    "a backslash": before_all(named("..\\x.png")),
    "a hidden file": before_all(named(".x.png")),
    "another ending": before_all(named("x.png.exe")),
    "a name twice": lambda members: as_it_was([members[0], *members]),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_shard_with_a_trick_is_refused(shard, trick):
    """In one line; nothing is followed, filled up or waited for."""
    rebuilt(shard, TRICKS[trick])
    for read in (lambda: list(read_shard(shard)), lambda: ShardPictures([shard])):
        with pytest.raises(DaitirError) as caught:
            read()
        assert str(shard) in str(caught.value)
        assert len(str(caught.value)) < 600


def test_a_link_among_drawn_pictures_is_not_opened(shard, tmp_path):
    """It would lead to a pipe, which nobody writes to."""
    os.mkfifo(tmp_path / "pipe.png")
    change = first_is(type=tarfile.SYMTYPE, linkname=str(tmp_path / "pipe.png"), data=b"", size=0)
    rebuilt(shard, change)
    with pytest.raises(DaitirError, match=r"holds 'd0_r0_k1.png', which is a link"):
        list(read_shard(shard))


def linking(tmp_path, target):
    """A shard of one published picture, as it is written where the picture is ``b"a picture"``."""
    meta = {"k": 1, "digest": digest_bytes([b"a picture"])}
    write_shard(tmp_path / "links.tar", [Picture("d0_r0_k1", b"", "png", meta, target)], RELEASED)
    return tmp_path / "links.tar"


@pytest.mark.parametrize("target", ["a.png", "../a.png", "/tmp/../etc/a.png", "/etc/passwd", "/dev/zero"])
def test_a_link_that_is_none_of_ours_is_refused(tmp_path, target):
    """Ours are whole paths of pictures."""
    with pytest.raises(DaitirError, match="which is a link"):
        list(read_shard(linking(tmp_path, target)))


def test_a_link_to_what_is_no_picture_file_is_not_read(tmp_path):
    """A pipe, a device and a file without end are gone, as far as a shard is concerned."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with (tmp_path / "hole.png").open("wb") as file:
        file.truncate(2**40)
    for name in ("pipe.png", "zero.png", "hole.png", "none.png"):
        with pytest.raises(DaitirError, match="is gone"):
            list(read_shard(linking(tmp_path, tmp_path / name)))


def test_a_link_gives_out_nothing_but_the_picture_that_was_published(tmp_path):
    """Whoever forges one must know the file already: its digest stands in the record."""
    (tmp_path / "secret.png").write_bytes(b"a secret")
    with pytest.raises(DaitirError, match="has changed since") as caught:
        list(read_shard(linking(tmp_path, tmp_path / "secret.png")))
    assert digest_bytes([b"a secret"]) not in str(caught.value)
    (tmp_path / "secret.png").write_bytes(b"a picture")
    assert next(read_shard(linking(tmp_path, tmp_path / "secret.png"))).data == b"a picture"
