"""Containers and services whose processor time is limited, as Docker, Kubernetes and systemd limit it."""

import os
from pathlib import Path

import pytest

from app import limits

MANY = 64  # cores that the process may run on
V1, V1_LINKED = "cpu,cpuacct", "cpu"


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        pytest.param("0::/", {"cpu.max": "200000 100000"}, 2, id="Docker and Kubernetes, version 2"),
        pytest.param("0::/", {"cpu.max": "50000 100000"}, 1, id="half a core is one"),
        pytest.param("0::/", {"cpu.max": "max 100000"}, MANY, id="version 2 without a quota"),
        pytest.param("0::/", {"cpu.max": "9900000 100000"}, MANY, id="a quota of more than there are"),
        pytest.param(
            "0::/system.slice/bodyregion.service",
            {"system.slice/bodyregion.service/cpu.max": "300000 100000", "cpu.stat": ""},
            3,
            id="systemd's CPUQuota=300%, version 2",
        ),
        pytest.param(
            "0::/kubepods/pod1/c1",
            {"kubepods/pod1/c1/cpu.max": "max 100000", "kubepods/pod1/cpu.max": "400000 100000"},
            4,
            id="a limit on the pod and none on its container",
        ),
        pytest.param(
            "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc",
            {f"{V1}/cpu.cfs_quota_us": "250000", f"{V1}/cpu.cfs_period_us": "125000"},
            2,
            id="Docker, version 1: told the host's path, shown its own group",
        ),
        pytest.param(
            "4:cpuacct,cpu:/\n0::/",
            {f"{V1_LINKED}/cpu.cfs_quota_us": "300000", f"{V1_LINKED}/cpu.cfs_period_us": "100000"},
            3,
            id="CentOS 7, which names the controllers the other way round",
        ),
        pytest.param(
            "4:cpu,cpuacct:/",
            {f"{V1}/cpu.cfs_quota_us": "-1", f"{V1}/cpu.cfs_period_us": "100000"},
            MANY,
            id="version 1 without a quota",
        ),
        pytest.param(
            "2:cpu:/batch.slice/job.service",
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "cpu/batch.slice/cpu.cfs_quota_us": "200000",
                "cpu/batch.slice/cpu.cfs_period_us": "100000",
                "cpu/batch.slice/job.service/cpu.cfs_quota_us": "500000",
                "cpu/batch.slice/job.service/cpu.cfs_period_us": "100000",
            },
            2,
            id="systemd, version 1: the slice around a service allows less",
        ),
        pytest.param(
            "1:cpu:/\n0::/user.slice",
            {"cpu/user.slice/cpu.cfs_quota_us": "100000", "cpu/user.slice/cpu.cfs_period_us": "100000"},
            MANY,
            id="both versions at once: the quota of a group that only has the same name",
        ),
        pytest.param("0::/\nnonsense", {"cpu.max": "soon"}, MANY, id="what is no quota"),
        pytest.param(None, {"cpu.max": "200000 100000"}, 2, id="no /proc"),
    ],
)
def test_a_quota_counts_however_it_is_written(
    own: str | None, files: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted, told = tmp_path / "cgroup", tmp_path / "own"
    for name, text in files.items():
        (mounted / name).parent.mkdir(parents=True, exist_ok=True)
        (mounted / name).write_text(f"{text}\n")
    if own:
        told.write_text(f"{own}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(MANY), raising=False)
    monkeypatch.setattr(limits, "CGROUPS", mounted)
    monkeypatch.setattr(limits, "CGROUPS_V1", (mounted / V1_LINKED, mounted / V1))
    monkeypatch.setattr(limits, "OWN_CGROUPS", told)
    assert limits.usable_cores() == cores
