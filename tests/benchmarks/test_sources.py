from tests.benchmarks import quick


def test_every_source_is_prepared_and_the_large_one_trained(tmp_path):
    found = quick.record("sources", tmp_path)
    assert found["png"]["files"] == 200
    for source in ("idx", "png"):
        assert len(found[source]["seconds"]["all"]) == found["runs"] == 1
        assert found[source]["peak_mib"]["median"] > 0
    large = found["large"]
    assert large["images_mib"] == 400 * 16 * 16 * 3 / 2**20
    peak = max(large["prepare"]["peak_mib"], large["train"]["peak_mib"])
    assert large["copies"] == peak / large["images_mib"] > 1
