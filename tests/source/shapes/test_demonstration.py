"""python -m ordersetl.source.sample: the command that it prints works."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from console import environment
from shape_runs import expected_bytes, output_bytes

from ordersetl.source.sample.shop_orders import sample_shop


@pytest.mark.parametrize("shape", ["shopify", "bigcommerce"])
def test_the_command_that_is_printed_asks_the_shape(shape: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ordersetl.source.sample", "--shape", shape, "--port", "0"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            _, _, printed = (process.stdout.readline() for _ in range(3))
            ended = subprocess.run(  # noqa: S602 - what people are told to paste
                printed.strip(),
                shell=True,
                cwd=tmp_path,
                env=environment(PATH=path),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        finally:
            process.kill()
    assert ended.returncode == 0, ended.stderr
    assert output_bytes(tmp_path / "output") == expected_bytes(shape, sample_shop())


@pytest.mark.parametrize("rate", ["1", "-0.1", "often"])
def test_a_share_of_faults_is_from_0_to_below_1(rate: str) -> None:
    command = [sys.executable, "-m", "ordersetl.source.sample", "--fault-rate", rate]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert ended.returncode == 2
    assert "--fault-rate" in ended.stderr
