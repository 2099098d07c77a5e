-- Words as JSON text, [start_s, end_s, text, probability] each. DuckDB 2.0 logs all elements of a list column since the
-- last checkpoint again with every append, so that jobs cost more and more.

ALTER TABLE segments ALTER words SET DATA TYPE VARCHAR USING CAST(
    to_json(list_transform(words, lambda w: json_array(w.start_s, w.end_s, w."text", w.probability))) AS VARCHAR);
