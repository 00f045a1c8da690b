"""A comparison in a notebook, executed by a real kernel: functions of its cells, edited and run again."""

from pathlib import Path

import nbclient
import nbformat
import pytest

CELLS = [
    "import dropover\nfrom dropover import lab\nimport torch\nfrom torch import nn",
    "SCALE, ROWS = 1.0, torch.ones(4)\ndef helper(seed):\n    return SCALE * (0.5 + seed / 100) * ROWS.mean()",
    "def train(trial):\n"
    "    model = trial.regularize(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))\n"
    "    for epoch in trial.track(range(2)):\n"
    "        trial.log(epoch, train_loss=1 / (epoch + 1))\n"
    "    return {'accuracy': helper(trial.seed), 'log-loss': 1.0}",
    "arms = {'none': None, 'flipover': dropover.Flipover(0.2)}\n"
    "result = lab.compare(train, arms, seeds=3, out='results/notebook')",
    "result",
    "print(result.run.reused, lab.compare(train, arms, seeds=3, out='results/notebook', progress=False).run.reused)",
    "def helper(seed):\n    return SCALE * (0.6 + seed / 100) * ROWS.mean()",
    "print(lab.compare(train, arms, seeds=3, out='results/notebook', progress=False).run.reused)",
    "SCALE = 0.9",
    "print(lab.compare(train, arms, seeds=3, out='results/notebook', progress=False).run.reused)",
    "try:\n    lab.compare(train, arms, jobs=2)\nexcept ValueError as error:\n    print(error)",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    folder: Path = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def said(notebook: nbformat.NotebookNode, cell: int) -> str:
    return "".join(output.get("text", "") for output in notebook.cells[cell].outputs)


def test_the_result_shows_answer_table_and_pictures(executed: nbformat.NotebookNode):
    (shown,) = executed.cells[4].outputs
    page = shown["data"]["text/html"]
    assert page.startswith("<iframe")
    assert "On accuracy" in page
    assert "svg" in page


def test_cells_that_were_run_again_are_other_code_and_the_same_code_is_not(executed: nbformat.NotebookNode):
    assert said(executed, 5).split() == ["0", "6"]
    assert said(executed, 7).split() == ["0"], "a function that the trained one calls was edited"
    assert said(executed, 9).split() == ["0"], "a value that it reads was changed"


def test_other_processes_cannot_have_a_cells_function(executed: nbformat.NotebookNode):
    assert "jobs must be 1 for __main__:train" in said(executed, 10)
