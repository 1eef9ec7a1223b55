"""What runs inside the process of an inference package: its ``predict``, batch by batch.

Started by its path in whatever environment the package needs, so that nothing of asc-bench is imported here:
``python package_runner.py JOB``, where JOB is a JSON file, see ``package.py``.
"""

import importlib
import inspect
import json
import sys
from pathlib import Path


def main(job_path: str) -> None:
    """Predict all files of a job; a line of JSON with logits and the order of classes for each batch."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    # The folder of this script comes first otherwise, and its modules would hide those of the package.
    sys.path[0] = job["root"]
    predict = importlib.import_module(job["module"]).predict
    # The official evaluation names it, the official description of the function does not.
    more = {"use_cuda": job["cuda"]} if "use_cuda" in inspect.signature(predict).parameters else {}
    files, devices, size = job["files"], job["devices"], job["batch"]
    with Path(job["out"]).open("w", encoding="utf-8") as out:
        for start in range(0, len(files), size):
            part = slice(start, start + size)
            logits, classes = predict(
                file_paths=files[part], device_ids=devices[part], model_file_path=None, **more
            )
            rows = [[float(value) for value in row] for row in logits]
            out.write(json.dumps({"classes": list(classes), "logits": rows}) + "\n")
            out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
