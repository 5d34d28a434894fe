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


rule measure_ranks:
    input:
        ranks=plan.ranks,
    output:
        tables=[layout.table(name) for name in plan.tables],
        figures=[layout.figure(name) for name in plan.figures],
    log:
        "logs/measure.log",
    benchmark:
        "benchmarks/measure.tsv"
    resources:
        mem_mb=4_000,
        runtime="1h",
    params:
        options=plan.measure_options,
        results=layout.results,
    shell:
        "python -m daitir.stages.measure"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " 2>&1 | tee {log}"


rule write_report:
    input:
        tables=[layout.table(name) for name in plan.tables],
        figures=[layout.figure(name) for name in plan.figures],
        ranks=plan.ranks,
        sources=plan.example_sources,
    output:
        page=layout.report,
    log:
        "logs/report.log",
    benchmark:
        "benchmarks/report.tsv"
    resources:
        mem_mb=4_000,
        runtime="1h",
    params:
        options=plan.report_options,
        results=layout.results,
    shell:
        "python -m daitir.stages.report"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " --output {output.page:q}"
        " 2>&1 | tee {log}"
