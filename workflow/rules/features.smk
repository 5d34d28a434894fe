rule encode_corpus:
    input:
        list=plan.corpus_list,
        images=ancient(plan.corpus_images),
        tuned=plan.tuned_model,
    output:
        features=layout.corpus_features("{encoder}", "{corpus}"),
    log:
        layout.log("features", "{encoder}", "corpora", "{corpus}"),
    benchmark:
        layout.benchmark("features", "{encoder}", "corpora", "{corpus}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(4),
        gpu=plan.gpu("encoder", "encoder"),
    params:
        options=plan.encode_image_options,
        how=plan.how("encoder", "encoder"),
    shell:
        "python -m daitir.stages.encode corpus"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --list {input.list:q}"
        " --images {input.images:q}"
        " --tuned {input.tuned:q}"
        " --output {output.features:q}"
        " 2>&1 | tee {log:q}"


rule encode_queries:
    input:
        unpack(ancient(plan.known_encoded_queries)),
        queries=plan.query_shards,
        tuned=plan.tuned_model,
    output:
        features=layout.query_features("{encoder}", "{reformulator}", "{dialogues}"),
    log:
        layout.log("features", "{encoder}", "queries", "{reformulator}", "{dialogues}"),
    benchmark:
        layout.benchmark("features", "{encoder}", "queries", "{reformulator}", "{dialogues}")
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(1),
        gpu=plan.gpu("encoder", "encoder"),
    params:
        options=plan.encode_text_options,
        how=plan.how("encoder", "encoder"),
    shell:
        "python -m daitir.stages.encode queries"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --queries {input.queries:q}"
        " --known-queries {input.known_queries:q}"
        " --known-features {input.known_features:q}"
        " --tuned {input.tuned:q}"
        " --output {output.features:q}"
        " 2>&1 | tee {log:q}"


rule encode_images:
    input:
        unpack(ancient(plan.known_encoded_images)),
        shard=layout.images("{generator}", "{reformulator}", "{dialogues}", "{shard}"),
        tuned=plan.tuned_model,
    output:
        features=layout.image_features("{encoder}", "{generator}", "{reformulator}", "{dialogues}", "{shard}"),
    log:
        layout.log(
            "features",
            "{encoder}",
            "images",
            "{generator}",
            "{reformulator}",
            "{dialogues}",
            "shard-{shard}",
        ),
    benchmark:
        layout.benchmark(
            "features",
            "{encoder}",
            "images",
            "{generator}",
            "{reformulator}",
            "{dialogues}",
            "shard-{shard}",
        )
    conda:
        "../../envs/daitir.yaml"
    resources:
        mem_mb=gigabytes(8),
        runtime=hours(2),
        gpu=plan.gpu("encoder", "encoder"),
    params:
        options=plan.encode_image_options,
        how=plan.how("encoder", "encoder"),
    shell:
        "python -m daitir.stages.encode pictures"
        " --options {params.options:q}"
        " --how {params.how:q}"
        " --shard {input.shard:q}"
        " --known-shards {input.known_shards:q}"
        " --known-features {input.known_features:q}"
        " --tuned {input.tuned:q}"
        " --output {output.features:q}"
        " 2>&1 | tee {log:q}"
