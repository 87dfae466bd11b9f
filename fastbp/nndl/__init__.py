"""The modules of "Neural Networks and Deep Learning", under their own names, on fastbp's kernels.

    from fastbp.nndl import mnist_loader, network, network2

`network` is that of chapters 1 and 2, `network2` that of chapter 3, `mnist_loader` reads MNIST.
Classes, functions, signatures, printed lines and files are the book's, and so are the draws from
`random` and `numpy.random`: seeded alike, a script gives the weights of the book's own code, to
rounding. ``python -m fastbp.nndl script.py`` runs one without any edit.

Mini-batches run in the compiled kernels, in float64 and on one thread. What a user has replaced
(a method in a subclass, a cost of one's own) cannot be compiled: then training is the book's loop
over examples, in NumPy, at the book's speed. `base.py` says where one ends and the other begins.
"""
