"""测试自己开的网站：只在本机，用完就关。"""

import contextlib
import http.server
import threading


@contextlib.contextmanager
def serving(handler):
    """开一个网站，由 handler 回答；给出它的地址。"""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
