def test_look(lab):
    lab.open("10-discovery.ipynb"); lab.run_all(within_s=240)
    lab.assert_healthy()
    page=lab.page
    for label in ("probe period (s)","threshold (failed probes)"):
        try: print("FOLLOW",label,lab.follow_ms(label,".edasim-lab-picture svg",moves=6))
        except BaseException as e: print("ERR",repr(e)[:300])
    page.set_viewport_size({"width":1200,"height":1400})
    panel=page.locator(".jp-WindowedPanel-outer").first
    for i in range(9):
        panel.evaluate("(e,i)=>{e.scrollTop=i*1250}",i); page.wait_for_timeout(600)
        page.screenshot(path=f"/tmp/ch10/shots/{i}.png")
    lab.close()
