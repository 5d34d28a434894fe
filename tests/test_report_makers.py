"""What the page says of the components: as all their files record it, of published material too."""

from dataclasses import replace

import pytest

from daitir.errors import DaitirError
from daitir.features import read_features, write_features
from daitir.files import digest_bytes
from daitir.layout import Layout, shard_names
from daitir.queries import read_queries, write_queries
from daitir.shards import read_shard, write_shard
from daitir.stages import measure
from tests.synthetic import SET, SHARDS, made, make_results, picture
from tests.test_measure import measure_options
from tests.test_report import spaced, text_of, write

FOLDER, FILE = "/data/DAR/sd3", "/data/DAR/queries.json"


@pytest.fixture
def run(tmp_path):
    """Layout, folder and config of a run that is measured."""
    config = make_results(tmp_path)
    measure.run(measure.MeasureOptions.parse(measure_options(config), "test"), tmp_path / "results")
    return Layout(str(tmp_path / "results")), tmp_path, config


def remake_queries(layout, record, shards=None):
    for shard in shards or shard_names(SHARDS):
        path = layout.queries("llm", SET, shard)
        write_queries(path, read_queries(path), record)


def test_published_queries_and_pictures_say_where_they_were_read(run):
    """No model: kind, folder or file, digest of the file; and no prompt under a picture that it is not of."""
    layout, folder, config = run
    released = made("reformulate", reformulator={"kind": "released", "prompts": 2})
    remake_queries(layout, released | {"inputs": {"released": "feedface"}})
    record = made("generate", generator={"kind": "released", "pattern": "{place}_{round}.jpg", "images": 2})
    published = folder / "7_1.jpg"
    published.write_bytes(picture(1))
    for shard in shard_names(SHARDS):
        path = layout.images("sd3", "llm", SET, shard)
        meta = {"digest": digest_bytes([picture(1)])}
        links = [replace(one, data=b"", meta=meta, link=published) for one in read_shard(path)]
        write_shard(path, links, record)
    config |= {
        "reformulators": {"llm": {"kind": "released", "files": {SET: FILE, "other": "/elsewhere"}}},
        "generators": {"sd3": {"kind": "released", "folders": {SET: FOLDER}}},
    }
    page = write(folder, config)
    text = spaced(page)
    assert f"reformulator llm released published by others feedface prompts 2, read from {FILE}" in text
    assert f"images 2, pattern {{place}}_{{round}}.jpg, read from {FOLDER}" in text
    assert "Target, and published images" in text
    assert "<figcaption>7_1.jpg (not looked at)</figcaption>" in page
    assert "prompts of llm were longer" not in text
    assert "prompt one" not in text


def test_model_behind_a_server_is_named(run):
    """Kind and model as the server calls it, and the settings that its files record."""
    layout, folder, config = run
    model = {"kind": "openai", "model": "Qwen/Qwen3-4B-Instruct-2507", "seed": 0, "extra_body": {}}
    remake_queries(layout, made("reformulate", reformulator=model))
    page = write(folder, config | {"reformulators": {"llm": model}})
    assert "reformulator llm openai Qwen/Qwen3-4B-Instruct-2507 seed 0" in spaced(page)


def test_page_is_handed_no_address_of_a_server():
    """The workflow leaves out what changes no bytes, so neither the config nor a file can show it."""
    from daitir.reformulators import OpenAIOptions

    options = OpenAIOptions(
        kind="openai", model="m", base_url="http://10.0.0.7:8000/v1", api_key_env="MY_KEY"
    )
    assert not {"base_url", "api_key_env"} & set(options.only("bytes", "text", "where"))


def test_versions_that_differ_stand_beside_their_component(run):
    """One shard made by an older torch: the page does not say that all are alike, but whose it is."""
    layout, folder, config = run
    older = made("reformulate", reformulator={"kind": "transformers", "model": "models/llm"})
    older |= {"options": older["options"] | {"digests": {"model": "ab"}}, "versions": {"torch": "8.0"}}
    remake_queries(layout, older, shard_names(SHARDS)[1:])
    text = text_of(write(folder, config))
    assert (
        "The 11 files of queries, images, features and ranks were not all made with the same versions" in text
    )
    assert "daitir 0, torch 9.9; torch 8.0" in text


def test_component_made_in_two_ways_is_listed_twice(run):
    """Shards whose settings differ are not passed off as one."""
    layout, folder, config = run
    other = made(
        "reformulate", reformulator={"kind": "transformers", "model": "models/llm", "dtype": "float16"}
    )
    remake_queries(layout, other, shard_names(SHARDS)[1:])
    page = write(folder, config)
    assert page.count("<tr><td>reformulator</td>") == 2


@pytest.mark.parametrize("part", ["facts", "texts"])
def test_features_of_an_older_daitir_are_named(run, part):
    """Features that do not say what their encoder reads, or what it cut, are to be made again."""
    layout, folder, config = run
    path = layout.query_features("blip", "llm", SET)
    store = read_features(path)
    record = {key: value for key, value in store.provenance.items() if key != part}
    write_features(path, store.keys, store.matrix, record)
    with pytest.raises(
        DaitirError, match=rf"llm/few.h5 says nothing of its '{part}', an older daitir made it"
    ):
        write(folder, config)


def test_corpus_without_a_list_is_counted_by_the_list_that_was_made(run):
    """The config names a folder alone; the workflow listed it under results."""
    _, folder, config = run
    listed = folder / "results/corpora/tiny.json"
    listed.parent.mkdir()
    (folder / "corpus.json").rename(listed)
    corpus = {"images": config["corpora"]["tiny"]["images"]}
    assert "40 candidates" in text_of(write(folder, config | {"corpora": {"tiny": corpus}}))
