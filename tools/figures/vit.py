def overview():
    return ""
