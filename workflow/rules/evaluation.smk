rule rank_candidates:
    input:
        unpack(plan.rank_inputs),
    output:
        ranks=layout.ranks("{system}", "{dialogues}"),
    log:
        layout.log("ranks", "{system}", "{dialogues}"),
    benchmark:
        layout.benchmark("ranks", "{system}", "{dialogues}")
    wildcard_constraints:
        system=one_of(plan.ranked_alone),
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(1),
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
        " 2>&1 | tee {log:q}"


for place, systems in enumerate(plan.ranked_together, start=1):

    rule:
        name:
            f"rank_together_{place}"
        input:
            unpack(plan.together_inputs(systems)),
        output:
            ranks=[layout.ranks(system, "{dialogues}") for system in systems],
        log:
            layout.log("ranks", systems[0], "{dialogues}"),
        benchmark:
            layout.benchmark("ranks", systems[0], "{dialogues}")
        conda:
            "../../envs/daitir.yaml"
        resources:
            mem_mb=gigabytes(8),
            runtime=hours(2),
        params:
            options=plan.together_options(systems),
        shell:
            "python -m daitir.stages.rank_together"
            " --options {params.options:q}"
            " --dialogues {input.dialogues:q}"
            " --queries {input.queries:q}"
            " --pictures {input.pictures:q}"
            " --corpus {input.corpus:q}"
            " --output {output.ranks:q}"
            " 2>&1 | tee {log:q}"


rule rank_oracle:
    input:
        ranks=plan.oracle_inputs,
    output:
        ranks=layout.ranks("{oracle}", "{dialogues}"),
    log:
        layout.log("ranks", "{oracle}", "{dialogues}"),
    benchmark:
        layout.benchmark("ranks", "{oracle}", "{dialogues}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(2),
    params:
        options=plan.oracle_options,
    shell:
        "python -m daitir.stages.rank_oracle"
        " --options {params.options:q}"
        " --ranks {input.ranks:q}"
        " --output {output.ranks:q}"
        " 2>&1 | tee {log:q}"


rule measure_ranks:
    input:
        ranks=plan.ranks,
    output:
        tables=[in_report(layout.table(name), f"tables/{name}", "Tables", table=name) for name in plan.tables],
        figures=[
            in_report(
                layout.figure(f"{figure}-{name}"),
                f"figures/{figure}",
                "Figures",
                figure=figure,
                dialogues=name,
            )
            for figure, name in plan.drawn
        ],
        pictures=[layout.picture(name) for name in plan.figures],
    log:
        layout.log("measure"),
    benchmark:
        layout.benchmark("measure")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(4),
        runtime=hours(1),
    params:
        options=plan.measure_options,
        results=lambda wildcards: layout.results,
    shell:
        "python -m daitir.stages.measure"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " 2>&1 | tee {log:q}"


rule write_report:
    input:
        tables=[layout.table(name) for name in plan.tables],
        figures=[layout.figure(name) for name in plan.figures],
        ranks=plan.ranks,
        sources=plan.example_sources,
        trainings=plan.training_figures,
        analyses=[*plan.analysis_tables, *plan.analysis_figures],
        views=[*plan.view_tables, *plan.view_figures],
    output:
        page=in_report(layout.report, "page", "Page", page="report"),
    log:
        layout.log("report"),
    benchmark:
        layout.benchmark("report")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(4),
        runtime=hours(1),
    params:
        options=plan.report_options,
        results=lambda wildcards: layout.results,
        benchmarks=layout.benchmarks,
    shell:
        "python -m daitir.stages.report"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " --benchmarks {params.benchmarks:q}"
        " --output {output.page:q}"
        " 2>&1 | tee {log:q}"


rule write_explorer:
    input:
        ranks=plan.ranks,
        sources=plan.example_sources,
    output:
        folder=directory(layout.explorer),
    log:
        layout.log("explorer"),
    benchmark:
        layout.benchmark("explorer")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(4),
        runtime=hours(1),
    params:
        options=plan.explore_options,
        results=lambda wildcards: layout.results,
    shell:
        "python -m daitir.stages.explore"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " --output {output.folder:q}"
        " 2>&1 | tee {log:q}"


rule write_summary:
    input:
        tables=[layout.table(name) for name in plan.tables],
        ranks=plan.ranks,
        views=plan.view_tables,
    output:
        page=in_report(layout.summary, "summary", "Page", page="summary"),
    log:
        layout.log("summary"),
    benchmark:
        layout.benchmark("summary")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(4),
    params:
        options=plan.summary_options,
        results=lambda wildcards: layout.results,
        benchmarks=layout.benchmarks,
    shell:
        "python -m daitir.stages.summarise"
        " --options {params.options:q}"
        " --results {params.results:q}"
        " --benchmarks {params.benchmarks:q}"
        " --output {output.page:q}"
        " 2>&1 | tee {log:q}"
