"""CIFAR-10 的读与下载；网络只到本机的测试服务器。"""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc

import numpy as np
import pytest

from vision_attention import data
from vision_attention.data import cifar10, download, pickles, unpacked

RECEIVED = 200_000 // 2**16 * 2**16  # 断在 200,000 字节处，整块收下的部分
NAMES = [f"类{k}".encode() for k in range(10)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(download.CACHE_VARIABLE, str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


def batch(seed, rows=20):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (rows, 3072), dtype=np.uint8)
    return {b"data": pixels, b"labels": [k % 10 for k in range(rows)]}


def contents():
    batches = {name: batch(k) for k, name in enumerate(cifar10.MEMBERS[:6])}
    return {**batches, "batches.meta": {b"label_names": NAMES}}


def write(path, members, extra=()):
    with tarfile.open(path, "w:gz") as tar:
        for name, value in members.items():
            content = value if isinstance(value, bytes) else pickle.dumps(value, 2)
            info = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return path


@pytest.fixture
def archive(tmp_path):
    return write(tmp_path / "given.tar.gz", contents())


def test_archive_is_read(archive):
    source = cifar10.read(archive)
    assert source.pool_images.shape == (100, 3, 32, 32)
    assert source.class_names == tuple(name.decode() for name in NAMES)
    expected = batch(1)[b"data"][7].reshape(3, 32, 32)
    assert np.array_equal(source.pool_images[27], expected)
    assert np.array_equal(source.test_images.reshape(20, -1), batch(5)[b"data"])
    assert source.pool_labels.tolist() == list(range(10)) * 10


def test_second_reading_maps_the_unpacked_copy(archive, monkeypatch):
    first = data.load("cifar10", root=archive)
    monkeypatch.setattr(cifar10, "from_archive", None)
    assert data.load("cifar10", root=archive).fingerprint == first.fingerprint
    assert isinstance(cifar10.read(archive).pool_images, np.memmap)


def test_changed_archive_is_read_anew(archive):
    first = data.load("cifar10", root=archive)
    write(archive, {**contents(), "test_batch": batch(99)})
    assert data.load("cifar10", root=archive).fingerprint != first.fingerprint


def test_half_written_copy_is_not_believed(archive, cache, monkeypatch):
    def full_disk(path, array):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(unpacked.np, "save", full_disk)
        first = data.load("cifar10", root=archive)
    assert list(cache.iterdir()) == []
    assert data.load("cifar10", root=archive).fingerprint == first.fingerprint


def test_unpacked_folder_and_its_parent_are_read(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    prints = {
        data.load("cifar10", root=root).fingerprint
        for root in (archive, tmp_path / "out", tmp_path / "out" / cifar10.FOLDER)
    }
    assert len(prints) == 1


def test_official_pickles_of_python_2_are_read():
    # Python 2 的 str 用操作码 U 写出；官方文件正是如此
    assert pickles.loads(b"\x80\x02]U\x03cata.") == [b"cat"]


def full_size(shift):
    """一万张，与官方的一批同样大；每张是一条斜坡，压缩起来很小。"""
    rows, columns = (np.arange(n).astype(np.uint8) for n in (10_000, 3072))
    pixels = np.add.outer(rows + np.uint8(shift), columns)
    return {b"data": pixels, b"labels": [k % 10 for k in range(10_000)]}


def test_archive_of_the_official_size_trains(tmp_path):
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    batches = {name: full_size(k) for k, name in enumerate(cifar10.MEMBERS[:6])}
    meta = {b"label_names": [name.encode() for name in names.split()]}
    path = write(tmp_path / "full.tar.gz", {**batches, "batches.meta": meta})
    whole = cifar10.read(path)
    assert (len(whole.pool_images), len(whole.test_images)) == (50_000, 10_000)
    assert whole.pool_images[49_999].ravel()[[0, -1]].tolist() == [19, 18]
    dataset = data.load("cifar10", root=path, n_train=500, max_test=1000)
    assert dataset.train_images.shape == (500, 3, 32, 32)
    assert np.bincount(dataset.train_labels).tolist() == [50] * 10
    assert np.bincount(dataset.test_labels).tolist() == [100] * 10
    assert dataset.class_names[3] == "cat"
    images, _ = next(
        data.batches(dataset, batch_size=64, steps=1, seed=0, augment="weak")
    )
    assert images.shape == (64, 3, 32, 32)


def test_missing_root_says_what_belongs_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"处没有 CIFAR-10；应是 cifar-10"):
        data.load("cifar10", root=tmp_path / "nowhere")


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.9])
def test_truncated_archive_is_refused(archive, kept):
    content = archive.read_bytes()
    size = kept if isinstance(kept, int) else int(kept * len(content))
    archive.write_bytes(content[:size])
    with pytest.raises(ValueError, match=f"损坏或不完整.{size:,} 字节.*md5"):
        data.load("cifar10", root=archive)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.97])
def test_flipped_byte_is_noticed(archive, place):
    content = bytearray(archive.read_bytes())
    content[int(place * len(content))] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="损坏或不完整"):
        data.load("cifar10", root=archive)


def test_missing_members_are_named(tmp_path):
    members = contents()
    del members["data_batch_4"], members["batches.meta"]
    path = write(tmp_path / "part.tar.gz", members)
    with pytest.raises(ValueError, match=r"缺少 data_batch_4、batches\.meta"):
        data.load("cifar10", root=path)


def member(name, kind=tarfile.REGTYPE, link="", size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


@pytest.mark.parametrize(
    "info",
    [
        member("../escape", size=3),
        member("a/../../escape", size=3),
        member("/etc/escape", size=3),
        member("..\\escape", size=3),
        member("C:/escape", size=3),
        member("cifar-10-batches-py/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("cifar-10-batches-py/hard", tarfile.LNKTYPE, "../../x"),
        member("cifar-10-batches-py/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: info.name,
)
def test_members_pointing_outside_are_refused(tmp_path, info):
    path = write(tmp_path / "evil.tar.gz", contents(), [info])
    with pytest.raises(ValueError, match=r"指向包外、是链接或过大，已拒绝"):
        data.load("cifar10", root=path)


def test_the_folder_itself_may_be_a_member(tmp_path):
    path = write(tmp_path / "dot.tar.gz", contents(), [member("./", tarfile.DIRTYPE)])
    assert data.load("cifar10", root=path).num_classes == 10


def test_enormous_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "LARGEST", 1000)
    path = write(tmp_path / "bomb.tar.gz", contents())
    with pytest.raises(ValueError, match=r"data_batch_1.*过大"):
        data.load("cifar10", root=path)


class Harm:
    """还原时会执行任意命令的对象。"""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        (lambda mark: Harm(os.system, f"touch {mark}"), r"\w+\.system"),
        (lambda mark: Harm(eval, f"open({str(mark)!r}, 'w')"), r"\w+\.eval"),
        (lambda mark: Harm(getattr, {}, "keys"), r"\w+\.getattr"),
        (lambda mark: Harm(np.load, str(mark)), r"numpy\.load"),
    ],
)
def test_malicious_pickle_builds_nothing(tmp_path, harm, name):
    mark = tmp_path / "harm"
    poisoned = {b"data": harm(mark), b"labels": []}
    path = write(tmp_path / "evil.tar.gz", {**contents(), "data_batch_2": poisoned})
    with pytest.raises(ValueError, match=f"data_batch_2 读不了：它要求构造 {name}"):
        data.load("cifar10", root=path)
    assert not mark.exists()


def test_attributes_of_allowed_objects_cannot_be_reached():
    # 协议 4 允许 "encode.__self__" 这样带点的名字
    with pytest.raises(pickle.UnpicklingError, match="要求构造"):
        pickles.loads(b"\x80\x04\x8c\x07_codecs\x8c\x0fencode.__self__\x93.")


LONG_NUMBER = b"I" + b"x" * 9999 + b"\n."
LONG_NAME = b"c" + b"x" * 9999 + b"\ny\n."


@pytest.mark.parametrize("content", [LONG_NUMBER, LONG_NAME], ids=["number", "name"])
def test_words_of_the_file_do_not_fill_the_sentence(content):
    with pytest.raises(pickle.UnpicklingError) as caught:
        pickles.loads(content)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("content", [b"", b"\x80", b"garbage", b"\x80\x02]U\x09cata."])
def test_broken_pickle_is_one_kind_of_error(content):
    with pytest.raises(pickle.UnpicklingError):
        pickles.loads(content)


@pytest.mark.parametrize(
    "change",
    [
        {b"labels": [0] * 19},
        {b"labels": [10] * 20},
        {b"labels": [-1] * 20},
        {b"labels": [0.5] * 20},
        {b"labels": 5},
        {b"labels": np.zeros(0, int), b"data": np.zeros((0, 3072), np.uint8)},
        {b"data": np.zeros((20, 3071), np.uint8)},
        {b"data": np.zeros((20, 3072), np.float32)},
    ],
)
def test_contents_out_of_specification_are_refused(tmp_path, change):
    members = {**contents(), "data_batch_3": pickle.dumps({**batch(2), **change}, 4)}
    path = write(tmp_path / "odd.tar.gz", members)
    with pytest.raises(ValueError, match="data_batch_3 不合规格"):
        data.load("cifar10", root=path)


@pytest.mark.parametrize("content", [[], {}, {b"data": [[1], [2, 3]]}, 3, b"x"])
def test_contents_that_are_no_table_are_refused(tmp_path, content):
    path = write(tmp_path / "odd.tar.gz", {**contents(), "data_batch_3": content})
    with pytest.raises(ValueError, match="data_batch_3 读不了"):
        data.load("cifar10", root=path)


@pytest.mark.parametrize("names", [[1, 2], b"cat", [["a"], ["b"]]])
def test_class_names_out_of_specification_are_refused(tmp_path, names):
    meta = {"batches.meta": {b"label_names": names}}
    path = write(tmp_path / "odd.tar.gz", {**contents(), **meta})
    with pytest.raises(ValueError, match="label_names 应为一列类名"):
        data.load("cifar10", root=path)


class Mirror:
    """本机的镜像：记下每次请求的 Range；可以中途断开、答错、或不支持续传。"""

    def __init__(self, content):
        self.content, self.requests, self.cuts = content, [], []
        self.ranges, self.status = True, None
        self.gate = threading.Event()
        self.gate.set()
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{download.ARCHIVE}"
        serve = self.server.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()

    def answer(self, handler):
        asked = handler.headers["Range"]
        self.requests.append(asked)
        self.gate.wait(60)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if self.ranges else 0
        body = self.content[start:]
        status = self.status or (206 if self.ranges else 200)
        handler.send_response(status if body else 416)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        cut = self.cuts.pop(0) if self.cuts else len(body)
        handler.wfile.write(body[:cut])


@pytest.fixture
def mirror(archive, monkeypatch):
    mirror = Mirror(archive.read_bytes())
    monkeypatch.setattr(download, "MD5", hashlib.md5(mirror.content).hexdigest())
    monkeypatch.setattr(download, "MIRRORS", (mirror.url,))
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


def test_download_is_checked_and_kept(mirror, cache, archive):
    fetched = data.load("cifar10")
    assert (cache / download.ARCHIVE).read_bytes() == mirror.content
    assert fetched.fingerprint == data.load("cifar10", root=archive).fingerprint
    data.load("cifar10")
    assert mirror.requests == ["bytes=0-"]


def test_cut_download_leaves_a_part_and_resumes(mirror, cache):
    mirror.cuts = [200_000]
    with pytest.raises(ConnectionError, match="中途断开"):
        download.fetch()
    assert not (cache / download.ARCHIVE).exists()
    assert (cache / f"{download.ARCHIVE}.part").stat().st_size == RECEIVED
    assert download.fetch().read_bytes() == mirror.content
    assert mirror.requests == ["bytes=0-", f"bytes={RECEIVED}-"]
    assert not (cache / f"{download.ARCHIVE}.part").exists()


def test_next_mirror_continues_where_the_first_broke(mirror, monkeypatch):
    monkeypatch.setattr(download, "MIRRORS", (mirror.url, mirror.url))
    mirror.cuts = [200_000]
    assert download.fetch().read_bytes() == mirror.content
    assert mirror.requests == ["bytes=0-", f"bytes={RECEIVED}-"]


def test_server_without_ranges_starts_over(mirror):
    mirror.ranges, mirror.cuts = False, [200_000]
    with pytest.raises(ConnectionError):
        download.fetch()
    assert download.fetch().read_bytes() == mirror.content


def test_complete_part_is_only_checked(mirror, cache):
    cache.mkdir()
    (cache / f"{download.ARCHIVE}.part").write_bytes(mirror.content)
    assert download.fetch().read_bytes() == mirror.content


def test_wrong_checksum_is_never_kept(mirror, cache):
    mirror.content = mirror.content[:-1] + b"?"
    with pytest.raises(ConnectionError, match="md5 不符，已删去"):
        download.fetch()
    assert [path.name for path in cache.iterdir()] == [".run"]


def test_spoiled_part_heals_on_the_next_mirror(mirror, cache, monkeypatch):
    cache.mkdir()
    (cache / f"{download.ARCHIVE}.part").write_bytes(b"<html>" * 100)
    monkeypatch.setattr(download, "MIRRORS", (mirror.url, mirror.url))
    assert download.fetch().read_bytes() == mirror.content


def test_spoiled_file_in_the_cache_is_replaced(mirror, cache):
    cache.mkdir()
    (cache / download.ARCHIVE).write_bytes(b"half")
    assert download.fetch().read_bytes() == mirror.content


def test_two_processes_download_once(mirror, cache):
    script = (
        "from vision_attention.data import download\n"
        f"download.MD5, download.MIRRORS = {download.MD5!r}, {download.MIRRORS!r}\n"
        "print('ready', flush=True)\n"
        "print(download.fetch())\n"
    )
    mirror.gate.clear()
    command = [sys.executable, "-c", script]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [worker.stdout.readline() for worker in workers] == [b"ready\n"] * 2
    # 两个都已开始，镜像才开始回答；没有锁，这一秒里就会有两个请求
    time.sleep(1)
    mirror.gate.set()
    answers = {worker.communicate(timeout=60)[0] for worker in workers}
    assert answers == {f"{cache / download.ARCHIVE}\n".encode()}
    assert mirror.requests == ["bytes=0-"]


def test_no_network_gives_the_steps_by_hand(mirror, cache, monkeypatch):
    closed = Mirror(b"")
    closed.server.shutdown()
    closed.server.server_close()
    mirror.status = 404
    monkeypatch.setattr(download, "MIRRORS", (closed.url, mirror.url))
    with pytest.raises(ConnectionError) as caught:
        data.load("cifar10")
    message = str(caught.value)
    for part in (
        f"{closed.url}\n    连不上",
        f"{mirror.url}\n    服务器回答 404",
        download.OFFICIAL,
        download.MD5,
        f"放到 {cache / download.ARCHIVE}",
        'data.load("cifar10", root=',
    ):
        assert part in message


@pytest.mark.parametrize("below", ["", "deeper"])
def test_unwritable_cache_names_the_variable(mirror, tmp_path, monkeypatch, below):
    # 测试常以 root 运行，权限拦不住它；该是文件夹的地方放一个文件，谁也写不进去
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "file" / below))
    with pytest.raises(PermissionError, match=r"写不进去.*VISION_ATTENTION_CACHE"):
        data.load("cifar10")


def test_read_only_cache_that_has_the_archive_is_enough(mirror, cache):
    cache.mkdir()
    (cache / download.ARCHIVE).write_bytes(mirror.content)
    (cache / ".run").write_text("")
    assert download.fetch() == cache / download.ARCHIVE


def test_read_only_cache_gives_one_remedy(mirror, cache):
    # 锁的文件夹建不出来，与只读的文件系统走同一条路
    cache.mkdir()
    (cache / ".run").write_text("")
    with pytest.raises(
        PermissionError, match=r"写不进去（已有同名的文件[^）]*）；请把环境变量"
    ):
        data.load("cifar10")


def test_full_disk_is_said_and_the_part_is_kept(mirror, cache, monkeypatch):
    def full_disk(response, part, have, total):
        part.write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "receive", full_disk)
    with pytest.raises(OSError, match=r"写不进去（磁盘满了）"):
        data.load("cifar10")
    assert (cache / f"{download.ARCHIVE}.part").is_file()


def test_spoiled_file_is_mentioned_when_offline(mirror, cache):
    cache.mkdir()
    (cache / download.ARCHIVE).write_bytes(b"half")
    mirror.status = 503
    with pytest.raises(ConnectionError, match="已有的文件 md5 不符（4 字节），不能用"):
        data.load("cifar10")


def test_given_archive_needs_no_cache(archive, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(download.CACHE_VARIABLE, str(tmp_path / "file"))
    assert len(data.load("cifar10", root=archive).train_labels) == 100


# 小文件要大内存 ------------------------------------------------------------------


def frugally(function, *arguments):
    """调用 function，期间新占的内存不许超过 64 MB。"""
    tracemalloc.start()
    try:
        return function(*arguments)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 64_000_000


def nested(depth):
    """一层套一层，每层把下一层用十次：展开是 10 的 depth 次方个。"""
    level = [1] * 10
    for _ in range(depth - 1):
        level = [level] * 10
    return level


def array_of(shape):
    """要 NumPy 造一个这么大的数组，内容一个字节也没有。"""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n"
        + b"(I%d\ntC\x01btR." % shape
    )


BOMBS = {
    "an array made at once": array_of(10**10),
    "the class called with a size": b"cnumpy\nndarray\n((I10000000000\nttR.",
    "a far place in the memo": b"]r\xff\xff\xff\x7f.",
    "a long bytearray": b"\x80\x05\x96" + (10**11).to_bytes(8, "little") + b".",
    "a text encoded over and over": b"(c_codecs\nencode\np0\nX"
    + (10**5).to_bytes(4, "little")
    + b"x" * 10**5
    + b"p1\n0"
    + b"g0\n(g1\ntR" * 10**4
    + b"l.",
    "arrays without end": b"("
    + b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR" * 10**3
    + b"l.",
    "orders without end": b"(" + b"NN00" * 10**5 + b"l.",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_pickles_that_would_fill_the_memory_are_refused(content, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_OPERATIONS", 10**5)
    with pytest.raises(
        pickle.UnpicklingError,
        match=r"太多|大得不像话|不是 NumPy|bytearray|not callable",
    ):
        frugally(pickles.loads, content)


@pytest.mark.parametrize("name", ["data_batch_2", "batches.meta"])
@pytest.mark.parametrize(
    "value",
    [nested(7), [b"x" * 10**5] + [b""] * 10**4],
    ids=["nested", "one long among many"],
)
def test_lists_are_not_unfolded_into_billions(tmp_path, name, value):
    key = b"labels" if name.startswith("data") else b"label_names"
    member = {**batch(1), key: value} if name.startswith("data") else {key: value}
    path = write(tmp_path / "bomb.tar.gz", {**contents(), name: member})
    assert path.stat().st_size < 500_000
    with pytest.raises(ValueError, match=rf"{name} (不合规格|读不了)|应为一列类名"):
        frugally(cifar10.read, path)


def test_arrays_numbers_and_text_are_still_read():
    value = {
        b"data": np.arange(6, dtype="u1").reshape(2, 3),
        b"more": np.array([1.5, -2.0], ">f8"),
        b"labels": [0, 1],
        b"names": (b"cat", "狗", 3.5, None, True, 2**80),
    }
    for protocol in range(5):  # 官方文件是 2
        found = pickles.loads(pickle.dumps(value, protocol))
        assert found[b"data"].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert found[b"more"].tolist() == [1.5, -2.0]
        assert (found[b"labels"], found[b"names"]) == (
            value[b"labels"],
            value[b"names"],
        )


def doubled(tar):
    """同一个成员再来一份。"""
    info = tarfile.TarInfo(f"elsewhere/{cifar10.MEMBERS[0]}")
    info.size = 10
    tar.addfile(info, io.BytesIO(b"x" * 10))


def crowded(tar):
    """许多不相干的成员。"""
    for k in range(cifar10.MOST_MEMBERS + 1):
        tar.addfile(tarfile.TarInfo(f"{k}"), io.BytesIO())


def long_name(tar):
    """名字那一块写着 200 MB，压缩之后只有几百 KB。"""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 200_000_000
    tar.addfile(info, Zeros())


def negative(tar):
    """写着负的大小：照着往回走，就永远走不完。"""
    header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (-1024).to_bytes(12, "big", signed=True)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    tar.fileobj.write(header)


class Zeros:
    """要多少个零，就有多少个。"""

    def read(self, count):
        return bytes(count)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (doubled, "成员 'data_batch_1' 有两份，已拒绝；这不是官方的压缩包"),
        (crowded, "之前已有太多成员"),
        (long_name, "成员 '././@LongLink' 过大"),
        (negative, "成员 'x' 过大|损坏或不完整"),
    ],
)
def test_archives_that_would_fill_the_memory_are_refused(tmp_path, spoil, told):
    path = write(tmp_path / "odd.tar.gz", contents())
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", compresslevel=1) as tar:
        with tarfile.open(path) as good:
            for member in good:
                tar.addfile(member, good.extractfile(member))
        spoil(tar)
    with pytest.raises(ValueError, match=told):
        frugally(cifar10.from_archive, tmp_path / "bomb.tar.gz")


def test_zeros_without_end_after_the_archive_are_refused(archive, monkeypatch):
    monkeypatch.setattr(cifar10, "LARGEST", 10**6)
    plain = gzip.decompress(archive.read_bytes())
    archive.write_bytes(gzip.compress(plain + bytes(10**8), 1))
    with pytest.raises(ValueError, match="之后还有太多字节"):
        frugally(cifar10.from_archive, archive)


def test_enormous_batches_in_a_folder_are_refused(archive, tmp_path):
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    member = tmp_path / "out" / cifar10.FOLDER / "data_batch_4"
    with member.open("r+b") as file:  # 稀疏的文件，不真的占磁盘
        file.truncate(cifar10.LARGEST + 1)
    with pytest.raises(ValueError, match="data_batch_4 有 100,000,001 字节，过大"):
        frugally(cifar10.read, tmp_path / "out")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="管道要 Unix")
@pytest.mark.parametrize(
    ("place", "kind", "told"),
    [
        ("pipe", ValueError, "是管道或设备"),
        ("loop", ValueError, "链接绕成了圈"),
        ("broken", FileNotFoundError, "没有 CIFAR-10"),
        ("长" * 500, ValueError, "路径太长"),
        ("~nobody-here", ValueError, "认不出是谁的家目录"),
        (3, ValueError, "root=3 应为路径"),
        ("", ValueError, "root='' 应为路径"),
        ("a\0b", ValueError, "不能用的字符"),
    ],
)
def test_roots_that_are_no_files_are_named(tmp_path, monkeypatch, place, kind, told):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "broken").symlink_to("no")
    with pytest.raises(kind, match=told):
        cifar10.read(place)


def test_a_strange_cache_is_read_anew(archive, cache):
    first = data.load("cifar10", root=archive)
    (folder,) = cache.iterdir()
    for name, content in (("facts.json", b"[1]"), ("pool_images.npy", b"")):
        (folder / name).chmod(0o644)
        (folder / name).write_bytes(content)
        assert data.load("cifar10", root=archive).fingerprint == first.fingerprint
