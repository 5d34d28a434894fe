rule rank_candidates:
    input:
        unpack(plan.rank_inputs),
    output:
        ranks=layout.ranks("{system}", "{dialogues}"),
    log:
        "logs/ranks/{system}/{dialogues}.log",
    benchmark:
        "benchmarks/ranks/{system}/{dialogues}.tsv"
    resources:
        mem_mb=lambda wildcards, attempt: 8_000 * attempt,
        runtime="1h",
    params:
        options=plan.rank_options,
    shell:
        "python -m daitir.stages.rank"
        " --options {params.options:q}"
        " --dialogues {input.dialogues:q}"
        " --queries {input.queries:q}"
        " --pictures {input.pictures:q}"
        " --corpus {input.corpus:q}"
        " --weights {input.weights:q}"
        " --output {output.ranks:q}"
        " 2>&1 | tee {log}"
