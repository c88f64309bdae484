"""做不了的事：自己的机器上让测试跳过，持续集成里是错，不会悄悄少测几样。"""

import pytest
from capabilities import unshared


@pytest.fixture(params=["没有 unshare", "unshare 不许"])
def refused(request, tmp_path, monkeypatch):
    """一台不许另开空间的机器。"""
    if request.param == "unshare 不许":
        (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n", "utf8")
        (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("ci", ["", "false"])
def test_own_machine_may_refuse(ci, monkeypatch):
    monkeypatch.setenv("CI", ci)
    assert unshared("-m", "true") is None


@pytest.mark.usefixtures("refused")
def test_refusal_is_an_error_in_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(RuntimeError, match=r"不许 unshare -n。.*sudo sysctl -w kernel"):
        unshared("-n", "true")


@pytest.mark.parametrize("ci", ["", "true"])
def test_permission_is_passed_on(ci, tmp_path, monkeypatch):
    (tmp_path / "unshare").write_text('#!/bin/sh\nshift $(($# - 1))\n"$1"\n', "utf8")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CI", ci)
    assert unshared("-n", "true")[::2] in (["unshare"], ["unshare", "-n"])
