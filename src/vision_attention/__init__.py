"""视觉注意力课程的代码:两翼(torch、paddle)立在同一个 NumPy 底层上。"""

__version__ = "0.1.0"
