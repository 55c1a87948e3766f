from charrnn_cli.web.page import page


def test_the_page_names_models_address_and_endpoints_and_runs_no_script():
    response = page("http://localhost:8000", ["<anna>"], needs_key=False)
    text = response.body.decode()
    assert "&lt;anna&gt;" in text
    assert "<anna>" not in text
    assert "http://localhost:8000/v1/completions" in text
    assert "GET /tokenizer_info" in text
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_the_page_keeps_names_to_itself_where_a_key_is_needed():
    assert b"anna" not in page("http://localhost:8000", ["anna"], needs_key=True).body
