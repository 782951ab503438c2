"""How the method's arithmetic is done fast, and by several processes; what it computes is in `part2_solution`.

    layers      attention, dropout and batch normalisation
    processes   several processes that train one model, by PyTorch's DistributedDataParallel
    precision   the number type that a processor computes fastest with
    unfinished  what a training that is not finished leaves on disk
"""
