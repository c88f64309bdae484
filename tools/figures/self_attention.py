def four_steps():
    return ""
