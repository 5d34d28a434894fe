rule write_runs:
    input:
        ranks=plan.ranks_of_systems,
    output:
        runs=plan.runs,
    log:
        layout.log("runs"),
    benchmark:
        layout.benchmark("runs")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(1),
    params:
        options=plan.runs_options,
        results=lambda wildcards: layout.results,
    shell:
        "python -m daitir.stages.write_runs"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " 2>&1 | tee {log:q}"


rule analyse:
    input:
        plan.analysis_inputs,
    output:
        table=layout.analysis("{analysis}", "{dialogues}"),
    log:
        layout.log("analyses", "{analysis}", "{dialogues}"),
    benchmark:
        layout.benchmark("analyses", "{analysis}", "{dialogues}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(8),
    params:
        options=plan.analysis_options,
        sources=plan.analysis_sources,
    shell:
        "python -m daitir.stages.analyse"
        " --options {params.options:q}"
        " --sources {params.sources:q}"
        " --output {output.table:q}"
        " 2>&1 | tee {log:q}"


rule draw_analyses:
    input:
        tables=plan.analysed,
    output:
        tables=plan.analysis_tables,
        figures=plan.analysis_figures,
    log:
        layout.log("draw_analyses"),
    benchmark:
        layout.benchmark("draw_analyses")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(2),
        runtime=hours(1),
    params:
        options=plan.drawing_options,
        results=lambda wildcards: layout.results,
    shell:
        "python -m daitir.stages.draw_analyses"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " 2>&1 | tee {log:q}"
