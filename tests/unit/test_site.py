"""The static leaderboard: numbers that are known, whose they are, links that lead somewhere, text that is text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from asc_bench.bench.keys import digest
from asc_bench.errors import ConfigError, StoreError
from asc_bench.registry import protocols
from asc_bench.reporting import report as report_module
from asc_bench.reporting.page import content
from asc_bench.reporting.report_runs import evaluate
from asc_bench.runs.made_elsewhere import store_external
from asc_bench.runs.store import MANIFEST, PREDICTIONS, ResultsStore
from asc_bench.site import build
from asc_bench.site.boards import remembering
from asc_bench.site.build import build_site
from asc_bench.stored_results import load_results
from tests.unit.made_runs import made_bench, made_predictions, publish, specs_of
from tests.unit.page_parts import Page
from tests.unit.reporting_frames import HOSTILE

ALICE = {"logmel-svm": 7, "sb-cnn": 9}
"""Clips of ten that are right: accuracies are known."""


def store(root: Path, n_right: dict[str, int], protocol: str = "dcase2018", *, synthetic: bool = False) -> None:
    bench = made_bench(protocol, synthetic=synthetic)
    for name, right in n_right.items():
        publish(ResultsStore(root), bench, specs_of(bench, name)[0], n_right=right)


def rewrite(path: Path, **changes: object) -> None:
    """Change a manifest as somebody would who knows of its digest."""
    content = json.loads(path.read_bytes()) | changes
    content.pop("digest")
    path.write_text(json.dumps(content | {"digest": digest(content)}), encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def computed_once() -> Iterator[None]:
    """Tests that show the same runs compute their numbers once: resampling is most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "evaluate", remembering(evaluate))
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of two people: one with a table, one with another run, a copy, synthetic data and predictions."""
    home = tmp_path_factory.mktemp("home")
    alice, bob = home / "alice", home / "bob"
    store(alice, ALICE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_module, "figures_of", lambda evaluation, choice: {})
        load_results(alice, "dcase2018", budget="paper").report()
    store(bob, {"logmel-svm": 5})
    for run in (alice / "runs").glob("*/*/sb-cnn"):
        shutil.copytree(run, bob / run.relative_to(alice))
    store(bob, {"raw-cnn": 8}, synthetic=True)
    bench = made_bench()
    frame = made_predictions(bench, dict.fromkeys("ABC", 6))
    store_external(frame, bench, ResultsStore(bob), name="doe", fold="fold1", origin={"file": "doe.csv"})
    return home


@pytest.fixture(scope="module")
def site(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    built = build_site([home / "alice", home / "bob"], out, documentation="https://example.org/docs/")
    assert (built.n_protocols, built.n_systems, built.folder) == (2, 4, out)
    return out


@pytest.fixture
def alone(home: Path, tmp_path: Path) -> Path:
    """A copy of the folder with a table, to be changed."""
    return Path(shutil.copytree(home / "alice", tmp_path / "alice"))


def rows(page: Path, section: str) -> dict[str, list[str]]:
    """Cells of the tables of a section by that of their row's head, as text."""
    text = page.read_text(encoding="utf-8")
    body = text[text.index(f'<section id="{section}"') :].partition("</section>")[0]
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL):
        cells = [
            " ".join(Page(f"<p>{c}</p>").text.split())
            for c in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, flags=re.DOTALL)
        ]
        found[cells[0]] = cells[1:]
    return found


def unescaped(script: str) -> str:
    return script.replace("\\u003c", "<").replace("\\u003e", ">")


def pages(site: Path) -> Iterator[tuple[Path, Page]]:
    for path in sorted(site.rglob("*.html")):
        yield path, Page(path.read_text(encoding="utf-8"))


def test_a_row_for_each_folder_that_has_a_system_and_one_for_a_copy(site: Path) -> None:
    found = rows(site / "index.html", "across")
    assert set(found) == {"system", "doe", "logmel-svm (alice)", "logmel-svm (bob)", "raw-cnn", "sb-cnn"}
    shown = {name: [cell.partition(" ")[0] for cell in cells] for name, cells in found.items() if name != "system"}
    assert shown == {
        "doe": ["60.0", "–"],
        "logmel-svm (alice)": ["70.0", "–"],
        "logmel-svm (bob)": ["50.0", "–"],
        "raw-cnn": ["–", "80.0"],
        "sb-cnn": ["90.0", "–"],
    }


def test_the_index_says_what_is_best_and_what_is_synthetic(site: Path) -> None:
    index = Page((site / "index.html").read_text(encoding="utf-8"))
    first, second = index.text.split("Systems by protocol")[0].split("DCASE 2018")[1:]
    assert "sb-cnn" in first and "90.0" in first and "systems4" in first
    assert "synthetic" not in first and "from alice, bob" in first
    assert "synthetic" in second and "80.0" in second
    assert "say nothing about any system on real data" in " ".join(index.text.split())


def test_the_index_says_whose_results_they_are(site: Path) -> None:
    found = rows(site / "index.html", "folders")
    assert found["alice"][:3] == ["2 of 2 runs and 1 of 1 table verified", "2", "2"]
    assert found["bob"][:3] == ["4 of 4 runs verified", "4", "4"]


def test_the_page_of_a_protocol_is_the_results_page(site: Path) -> None:
    (path,) = (p for p in (site / "protocols").glob("*.html") if "synthetic" not in p.name)
    page = Page(path.read_text(encoding="utf-8"))
    names = [s["name"] for s in page.data["systems"]]
    assert names == ["sb-cnn", "logmel-svm (alice)", "doe", "logmel-svm (bob)"]
    assert [s["page"] for s in page.data["systems"]][:2] == ["../systems/sb-cnn.html", "../systems/logmel-svm.html"]
    assert "Runs from alice, bob." in page.data["notes"]
    assert page.data["origin"]["commands"] == [], "a command reads one folder"
    (path,) = (p for p in (site / "protocols").glob("*.html") if "synthetic" in p.name)
    commands = Page(path.read_text(encoding="utf-8")).data["origin"]["commands"]
    assert commands[0].startswith("asc-bench run -p dcase2018 -s raw-cnn --budget paper --synthetic")


def test_the_page_of_a_system(site: Path) -> None:
    path = site / "systems" / "logmel-svm.html"
    text = " ".join(Page(path.read_text(encoding="utf-8")).text.split())
    assert "Log-mel" in text and "n_mels" in text
    results = re.findall(r"logmel-svm \((\w+)\) *(\d+\.\d)", text)
    assert results == [("alice", "70.0"), ("bob", "50.0")]
    elsewhere = Page((site / "systems" / "doe.html").read_text(encoding="utf-8")).text
    assert "predictions made elsewhere (file: doe.csv)" in elsewhere


def test_every_link_leads_somewhere_and_nothing_is_requested(site: Path) -> None:
    ids = {path: {a["id"] for _, a in page.elements if "id" in a} for path, page in pages(site)}
    links = 0
    for path, page in pages(site):
        for tag, attributes in page.elements:
            assert "src" not in attributes and tag not in ("link", "img", "iframe")
            address = attributes.get("href", "")
            if not address or address == "https://example.org/docs/":
                continue
            file, _, anchor = address.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target in ids, f"{path.name}: {address}"
            assert not anchor or anchor in ids[target], f"{path.name}: {address}"
            links += 1
        policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
        assert policy.startswith("default-src 'none'")
    assert links > 30
    assert (site / ".nojekyll").read_bytes() == b""


def test_the_same_results_give_the_same_files_and_old_pages_go(home: Path, site: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    build_site([home / "alice", home / "bob"], out, documentation="https://example.org/docs/")
    written = {p.relative_to(site): p.read_bytes() for p in site.rglob("*") if p.is_file()}
    assert {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} == written
    (out / "CNAME").write_text("example.org")
    build_site([home / "alice"], out)
    assert {p.name for p in (out / "systems").iterdir()} == {"logmel-svm.html", "sb-cnn.html"}
    assert (out / "CNAME").exists(), "not a file of the site"


def test_foreign_text_is_text(alone: Path, tmp_path: Path) -> None:
    bad = f"<img src=x onerror=alert(1)>{HOSTILE}"
    for path in alone.rglob(MANIFEST):
        rewrite(path, system=bad, variant=bad, host={"processor": bad}, params={bad: bad})
    shutil.rmtree(alone / "tables")
    folder = alone.rename(tmp_path / "<script>alert(2)<")
    build_site([folder], tmp_path / "site")
    for path, page in pages(tmp_path / "site"):
        assert [tag for tag, _ in page.elements].count("script") == (2 if path.parent.name == "protocols" else 1)
        assert not page.tags & {"img", "iframe"}
        assert "<img src=x onerror=alert(1)>" in page.text + "".join(map(unescaped, page.scripts))


def test_a_folder_that_was_changed_is_refused_or_named(alone: Path, tmp_path: Path) -> None:
    path = next(iter(sorted(alone.rglob(PREDICTIONS))))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=r"^alice does not verify: run runs/.*: predictions.parquet was changed; "):
        build_site([alone], tmp_path / "site")
    assert not (tmp_path / "site").exists() and path.exists() and not (alone / "quarantine").exists()
    build_site([alone], tmp_path / "site", allow_unverified=True)
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "not verified: run runs/" in index
    found = set(rows(tmp_path / "site" / "index.html", "across"))
    assert found == {"system", "sb-cnn not verified"}, "what is sound is shown"
    system = (tmp_path / "site" / "systems" / "sb-cnn.html").read_text(encoding="utf-8")
    assert "Runs from alice: not verified" in system
    (protocol,) = (tmp_path / "site" / "protocols").glob("*.html")
    assert "Runs from alice: not verified" in protocol.read_text(encoding="utf-8")


def test_a_table_that_was_changed_is_refused(alone: Path, tmp_path: Path) -> None:
    path = next(alone.rglob("results.csv"))
    path.write_text(path.read_text(encoding="utf-8").replace("0.9,", "0.95,", 1), encoding="utf-8")
    with pytest.raises(StoreError, match=r"table tables/.*results.csv: .*0.95 stands there"):
        build_site([alone], tmp_path / "site")


def test_runs_of_a_protocol_that_is_not_known_here(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(alone / "tables")
    with monkeypatch.context() as patch:
        patch.setattr(protocols().get("dcase2018"), "version", 99)
        with pytest.raises(StoreError, match=r"2 runs of runs/.*: made under version 1 of protocol dcase"):
            build_site([alone], tmp_path / "site")
    first, _ = sorted(alone.rglob(MANIFEST))
    rewrite(first, protocol="dcase2081")
    with pytest.raises(StoreError, match=r"1 run of runs/.*: there is no protocol 'dcase2081'; did you mean"):
        build_site([alone], tmp_path / "site")
    build_site([alone], tmp_path / "site", allow_unverified=True)
    assert len(rows(tmp_path / "site" / "index.html", "across")) == 2


def _no_folder(home: Path) -> tuple[list[Path], str]:
    return [home / "carol"], "there is no folder .*carol; name folders that hold runs/"


def _a_file(home: Path) -> tuple[list[Path], str]:
    return [next(home.rglob(MANIFEST))], "is a file; name the folder of results"


def _twice(home: Path) -> tuple[list[Path], str]:
    return [home / "alice", home / "bob" / ".." / "alice"], "alice is named twice"


def _none(home: Path) -> tuple[list[Path], str]:
    return [], "name at least one folder"


def _empty(home: Path) -> tuple[list[Path], str]:
    return [home], "no run is stored there; name the folder that holds runs/"


@pytest.mark.parametrize("case", [_no_folder, _a_file, _twice, _none, _empty])
def test_folders_that_are_none(home: Path, tmp_path: Path, case: Callable[[Path], tuple[list[Path], str]]) -> None:
    folders, message = case(home)
    with pytest.raises((ConfigError, StoreError), match=message):
        build_site(folders, tmp_path / "site")


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for who in ("x", "y"):
        store(tmp_path / who / "results", {"logmel-svm": 5 if who == "x" else 6})
    build_site([tmp_path / "x" / "results", tmp_path / "y" / "results"], tmp_path / "site")
    found = rows(tmp_path / "site" / "index.html", "across")
    assert list(found) == ["system", "logmel-svm (x/results)", "logmel-svm (y/results)"]


def test_a_failed_system_has_no_score_and_says_why(alone: Path, tmp_path: Path) -> None:
    bench = made_bench()
    publish(ResultsStore(alone), bench, specs_of(bench, "mla")[0], error="out of memory")
    build_site([alone], tmp_path / "site")
    assert rows(tmp_path / "site" / "index.html", "across")["mla"] == ["no score"]
    text = (tmp_path / "site" / "systems" / "mla.html").read_text(encoding="utf-8")
    assert "failed: ValueError: out of memory" in text
    assert "3, 1 of them without a score" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def test_other_recordings_have_a_page_of_their_own(home: Path, alone: Path, tmp_path: Path) -> None:
    for path in alone.rglob(MANIFEST):
        parts = json.loads(path.read_bytes())["key_parts"]
        rewrite(path, key_parts=parts | {"data": "0" * 64})
    shutil.rmtree(alone / "tables")
    other = alone.rename(tmp_path / "converted")
    build_site([home / "alice", other], tmp_path / "site")
    assert len(list((tmp_path / "site" / "protocols").glob("*.html"))) == 2
    found = rows(tmp_path / "site" / "index.html", "across")
    shown = {name: [cell.partition(" ")[0] for cell in cells] for name, cells in found.items()}
    assert sorted(shown["sb-cnn (alice)"]) == sorted(shown["sb-cnn (converted)"]) == ["90.0", "–"]
    assert shown["sb-cnn (alice)"] != shown["sb-cnn (converted)"], "never in one column"


def test_a_folder_of_other_things_is_left_alone(home: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds other things than a site of asc-bench; name a new folder"):
        build_site([home / "alice"], tmp_path)
    (tmp_path / "site.json").write_text(json.dumps({"files": ["../thesis.tex", "thesis.tex"]}))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "site.json").write_text(json.dumps({"files": ["../thesis.tex"]}))
    build_site([home / "alice"], inside)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://example.org", "//example.org/x", "/docs"])
def test_an_address_of_the_documentation_that_is_refused(home: Path, tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="give one relative to the site"):
        build_site([home / "alice"], tmp_path / "site", documentation=address)


def test_a_set_of_protocols_has_a_page_of_its_mean(tmp_path: Path) -> None:
    """Its members cannot be scored on three devices alone, and are left out with a sentence."""
    for i, part in enumerate(("5", "10", "25", "50", "100")):
        store(tmp_path / "results", {"logmel-svm": 4 + i}, f"dcase2024-{part}")
    with pytest.raises(StoreError, match=r"runs/dcase2024-.*: no test prediction .*; and 2 more\. Ask"):
        build_site([tmp_path / "results"], tmp_path / "site")
    build_site([tmp_path / "results"], tmp_path / "site", allow_unverified=True)
    (cell,) = rows(tmp_path / "site" / "index.html", "across")["logmel-svm not verified"]
    assert cell.startswith("60.0"), "the mean of 40, 50, 60, 70 and 80"


def test_it_is_built_without_torch(home: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Refused:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'torchaudio'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refused)\n"
        f"sys.argv = ['asc-bench', 'site', {str(home / 'bob')!r}, '--out', {str(tmp_path / 'site')!r}]; "
        "from asc_bench.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "bob: 4 of 4 runs verified"
    assert (tmp_path / "site" / "index.html").is_file()


def test_what_is_too_large_for_a_page_lies_beside_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (content, build):
        monkeypatch.setattr(module, "LARGEST_FILE", 1500)
    build_site([home / "alice"], tmp_path / "site")
    (path,) = (tmp_path / "site" / "protocols").glob("*.html")
    data = Page(path.read_text(encoding="utf-8")).data
    large = {name for name, text in data["files"].items() if text is None}
    assert "results.csv" in large and set(data["beside"]) == large
    table = next((home / "alice").rglob("results.csv"))
    assert (path.parent / data["beside"]["results.csv"]).read_bytes() == table.read_bytes()
