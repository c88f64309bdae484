"""只有构建工具和一本小书的小仓库：构建的测试在里面跑真正的 make。"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
TOC = "format: jb-book\nroot: book/index\n"
CHAPTER = "chapters:\n- file: notebooks/torch/tiny\n"
PROJECT = """[project]
name = 'tiny'

[project.urls]
Repository = "https://github.com/someone/tiny"
"""
SETTINGS = """title: 小书
only_build_toc_files: true
exclude_patterns: [".*"]
execute: {execute_notebooks: cache, cache: .cache/jupyter, timeout: 60}
"""


class Clone:
    """一个只有构建工具和一本小书的仓库。"""

    def __init__(self, root):
        self.root, self.home = root / "clone", root / "home"
        self.home.mkdir()
        shutil.copytree(ROOT / "tools", self.root / "tools")
        shutil.copy(ROOT / "Makefile", self.root)
        self.write("pyproject.toml", PROJECT)
        self.write("requirements.txt", "# 什么也不用装\n")
        self.write("_config.yml", SETTINGS)
        self.write("_toc.yml", TOC)
        self.write("book/index.md", "# 小书\n")
        self.write("src/tiny.py", "")

    def write(self, name, text):
        """写一个文件，返回它的路径。"""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf8")
        return path

    def environment(self, **extra):
        """连不上任何软件源的环境，家目录是空的。"""
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        offline = {
            "HOME": str(self.home),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_RETRIES": "1",
            "PYTHON": sys.executable,
        }
        return kept | offline | extra

    def start(self, *words, **extra):
        """开始执行 make，不等它做完；自成一组进程，可以一起杀掉。"""
        return subprocess.Popen(
            ["make", *words],
            cwd=self.root,
            env=self.environment(**extra),
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def make(self, *words, **extra):
        """执行 make，返回退出码与“✗”开头的那些行。"""
        done = subprocess.run(
            ["make", *words],
            cwd=self.root,
            env=self.environment(**extra),
            check=False,
            capture_output=True,
            text=True,
        )
        complaints = [line for line in done.stderr.splitlines() if line[:1] == "✗"]
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, complaints, done.stdout

    def borrow_packages(self):
        """造一个 .venv，借用正在跑测试的这个环境里的包，不用安装。"""
        venv = self.root / ".venv"
        words = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
        subprocess.run(words, check=True)
        site = next(venv.glob("lib/python*/site-packages"))
        # 环境自己也可能借着别处的包：几个文件夹都借
        packages = [path for path in sys.path if path.endswith("site-packages")]
        (site / "borrowed.pth").write_text("\n".join(packages), "utf8")
        code = (
            "from tools.build import environment as e;"
            "e.write(e.VENV / '.ready', e.ready())"
        )
        subprocess.run([sys.executable, "-c", code], cwd=self.root, check=True)

    def notebook(self, source):
        """写一本只有一格的笔记本，放进目录。"""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        book = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        book.cells = [
            nbformat.v4.new_markdown_cell("# 小实验"),
            nbformat.v4.new_code_cell(source),
        ]
        self.write("notebooks/torch/tiny.ipynb", nbformat.writes(book))
        self.write("_toc.yml", TOC + CHAPTER)
