"""The documents that accompany a model version: statements, bill of materials, card, lineage.

Duty: facts in, plain JSON data or text out, one module for each document. Input: what the compiler
told the step (`mlspec.ir.facts`) and what the steps before it wrote (`facts`). Invariants: the
same facts are the same bytes; the only time is that of the run; ids are made from digests; text
of users is data and never markup; addresses lose their credentials; nothing here needs a package
beyond the standard library, except `profile`, which counts with numpy.
"""
