//! Materials: the team adds them, partners copy them, everybody sees their pictures, and what they bring is told apart.

use axum::http::StatusCode;
use domain::click::Tags;
use http_body_util::BodyExt;
use serde_json::json;

use crate::pages::{
    role::Role,
    testing::{Shown, Site, banner},
};

/// What stands in the first text field of a page, as a browser reads it.
fn copied(shown: &Shown) -> String {
    let (_, after) =
        shown.text.split_once("<textarea rows=\"4\" readonly>").expect("there is something to copy");
    let mut code = after.split("</textarea>").next().unwrap_or_default().to_owned();
    for (written, read) in [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")] {
        code = code.replace(written, read);
    }
    code
}

fn id_in(shown: &Shown) -> String {
    let (_, after) = shown.text.split_once("/team/materials/").expect("the page has a material");
    after.split('/').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_banner_is_added_copied_with_ones_own_link_and_shown_to_strangers() {
    let site = Site::start().await;
    let (ana, campaign) = (site.api.affiliate("Ana").await, site.api.campaign().await);
    let mut manager = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    let (page, mine) =
        (format!("/team/campaigns/{campaign}/materials"), format!("/my/campaigns/{campaign}/materials"));
    let filled =
        [("kind", "banner"), ("name", "Leader <b>"), ("text", "\"Spring\" <script>alert(1)</script>")];
    let added = manager.upload(&page, &filled, &banner()).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text);
    let listed = manager.get(&page).await;
    assert!(
        listed.text.contains("Leader &#60;b&#62;") && !listed.text.contains("<script>"),
        "{}",
        listed.text
    );
    let id = id_in(&listed);
    let without = hers.get(&mine).await.text;
    assert!(
        without.contains("Make a link into this campaign first") && !without.contains("<textarea"),
        "{without}"
    );
    let link = json!({"campaign_id": campaign, "code": "spring"});
    site.api.made(&format!("/api/v1/affiliates/{ana}/links"), link).await;
    let shown = hers.get(&mine).await;
    assert!(
        !shown.text.contains("<script>alert") && shown.text.contains("Leader &#60;b&#62;"),
        "{}",
        shown.text
    );
    let link = format!("https://go.example/c/spring?utm_content={id}");
    let says = "&quot;Spring&quot; &lt;script&gt;alert(1)&lt;/script&gt;";
    let picture = format!(
        "<img src=\"https://partners.example/materials/{id}\" alt=\"{says}\" width=\"1\" height=\"1\">"
    );
    let counts = "<img src=\"https://go.example/i/spring\" width=\"1\" height=\"1\" alt=\"\">";
    assert_eq!(copied(&shown), format!("<a href=\"{link}\">{picture}</a>{counts}"));
    let retired = manager.fill(&page, &format!("/team/materials/{id}/retire"), &[]).await;
    assert_eq!(retired.status, StatusCode::SEE_OTHER, "{}", retired.text);
    assert!(hers.get(&mine).await.text.contains("no materials yet"));
    let answer = site.browser().open(&format!("/materials/{id}")).await;
    assert_eq!(answer.status(), StatusCode::OK, "it goes on being shown");
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), banner());
    assert!(site.audit().await.ends_with(&["material.added", "material.retired"].map(ToOwned::to_owned)));
}

#[tokio::test]
async fn a_material_that_is_none_is_refused_with_a_sentence() {
    let site = Site::start().await;
    let page = format!("/team/campaigns/{}/materials", site.api.campaign().await);
    let mut manager = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let fields = |kind, text| [("kind", kind), ("name", "Spring"), ("text", text)];
    let no_picture = "Picture: it must be a picture: PNG, JPEG, GIF or WebP";
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let words: &[u8] = b"a text that is called banner.png";
    let none: &[u8] = b"";
    let long = vec![0; 900 * 1024];
    for (kind, text, file, told) in [
        ("banner", "Spring", svg, no_picture),
        ("banner", "Spring", words, no_picture),
        ("banner", "Spring", none, "Picture: a banner needs a picture"),
        ("banner", "Spring", &long[..400 * 1024], "Picture: it must be at most 300 KiB"),
        ("banner", "Spring", &long[..], "with its file it has more than 768 KiB"),
        ("text", "{LINK}", none, "Text: it must hold {link}"),
        ("mail", "", none, "Text: it must have 1 to 20000 characters"),
        ("film", "{link}", none, "is not a kind of material"),
    ] {
        let refused = manager.upload(&page, &fields(kind, text), file).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }
    let forged = [("csrf", "another's"), ("kind", "text"), ("name", "Spring"), ("text", "{link}")];
    assert_eq!(manager.upload(&page, &forged, b"").await.status, StatusCode::FORBIDDEN);
    assert!(manager.get(&page).await.text.contains("There is nothing yet"));
}

#[tokio::test]
async fn only_those_who_lead_partners_add_and_only_those_who_see_a_campaign_copy() {
    let site = Site::start().await;
    let (ana, ben) = (site.api.affiliate("Ana").await, site.api.affiliate("Ben").await);
    let campaign = site.api.campaign().await;
    let (page, mine) =
        (format!("/team/campaigns/{campaign}/materials"), format!("/my/campaigns/{campaign}/materials"));
    let mut manager = site.signed_in("tom@team.example", Role::PartnershipManager, None).await;
    let fields = [("kind", "text"), ("name", "Short"), ("text", "Look <here>: {link}")];
    assert_eq!(manager.upload(&page, &fields, b"").await.status, StatusCode::SEE_OTHER);
    let retire = format!("/team/materials/{}/retire", id_in(&manager.get(&page).await));
    let mut analyst = site.signed_in("fay@team.example", Role::FraudAnalyst, None).await;
    let shown = analyst.get(&page).await.text;
    assert!(
        shown.contains("Look &#60;here&#62;") && !shown.contains("multipart") && !shown.contains("/retire"),
        "{shown}"
    );
    assert_eq!(analyst.upload(&page, &fields, b"").await.status, StatusCode::FORBIDDEN);
    assert_eq!(analyst.fill(&page, &retire, &[]).await.status, StatusCode::FORBIDDEN);
    site.api.click(ana, &campaign).await;
    site.api.made(&format!("/api/v1/campaigns/{campaign}/pause"), json!({})).await;
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    let mut his = site.signed_in("ben@partner.example", Role::Affiliate, Some(ben)).await;
    let code = copied(&hers.get(&mine).await);
    assert!(
        code.starts_with("Look <here>: https://go.example/c/") && code.contains("?utm_content=mat_"),
        "{code}"
    );
    assert_eq!(his.get(&mine).await.status, StatusCode::NOT_FOUND);
    assert_eq!(his.get(&page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(his.fill("/my", &retire, &[]).await.status, StatusCode::NOT_FOUND);
    let nowhere = site.browser().get("/materials/mat_01JH0000000000000000000000").await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn clicks_and_what_they_bring_are_told_by_material() {
    let site = Site::start().await;
    let ana = site.api.affiliate("Ana").await;
    let (campaign, other) = (site.api.campaign().await, site.api.campaign().await);
    let material = async |campaign: &str, name: &str| {
        let new = json!({"kind": "text", "name": name, "text": "{link}"});
        let made = site.api.made(&format!("/api/v1/campaigns/{campaign}/materials"), new).await;
        made["id"].as_str().unwrap().to_owned()
    };
    let (short, foreign) = (material(&campaign, "Short").await, material(&other, "Secret").await);
    for (content, order) in [(short.as_str(), Some("A1")), (foreign.as_str(), None), ("spring", None)] {
        let mut tags = Tags::default();
        content.clone_into(&mut tags.utm[4]);
        let click = site.api.tagged_click(ana, &campaign, tags).await;
        if let Some(order) = order {
            let sale = json!({"click_id": click, "amount": "100.00", "order_id": order});
            site.api.made("/api/v1/conversions", sale).await;
        }
    }
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    let file = hers.get("/my/traffic.csv?by=material").await.text.replace('"', "");
    let expected =
        format!("material,clicks,conversions,commission,currency\n,2,0,,\nShort ({short}),1,1,5.00,EUR\n");
    assert_eq!(file, expected);
    // As a release stored it that did not keep what the links of clicks carried.
    crate::store::links::forget_labels(&mut site.api.app.db.acquire().await.unwrap()).await.unwrap();
    let file = hers.get("/my/traffic.csv?by=material").await.text.replace('"', "");
    assert_eq!(file, expected);
    let shown = hers.get("/my/traffic?by=material").await.text;
    assert!(shown.contains(&format!("Short ({short})")) && !shown.contains("Secret"), "{shown}");
}

#[tokio::test]
async fn conversions_are_told_by_sub_id_and_those_of_promo_codes_by_none() {
    let site = Site::start().await;
    let (ana, campaign) = (site.api.affiliate("Ana").await, site.api.campaign().await);
    let mut tags = Tags::default();
    "shelf".clone_into(&mut tags.subs[0]);
    "mail".clone_into(&mut tags.subs[2]);
    let click = site.api.tagged_click(ana, &campaign, tags).await;
    let sale = json!({"click_id": click, "amount": "100.00", "order_id": "A1"});
    site.api.made("/api/v1/conversions", sale).await;
    let shop = site.api.get("/api/v1/advertisers").await.column("id")[0].to_owned();
    let link = json!({"campaign_id": campaign});
    let link = site.api.made(&format!("/api/v1/affiliates/{ana}/links"), link).await;
    let coupon = json!({"code": "ANA10", "link_id": link["id"]});
    site.api.made(&format!("/api/v1/advertisers/{shop}/coupons"), coupon).await;
    let sale = json!({"advertiser_id": shop, "coupon": "ANA10", "amount": "100.00", "order_id": "A2"});
    site.api.made("/api/v1/conversions", sale).await;
    let mut hers = site.signed_in("ana@partner.example", Role::Affiliate, Some(ana)).await;
    for release in ["this", "one that kept nothing of what the links of clicks carried"] {
        for (by, lines) in [
            ("sub1", "shelf,1,1,5.00,EUR\n,0,1,5.00,EUR\n"),
            ("sub2", ",1,2,10.00,EUR\n"),
            ("sub3", "mail,1,1,5.00,EUR\n,0,1,5.00,EUR\n"),
        ] {
            let file = hers.get(&format!("/my/traffic.csv?by={by}")).await.text.replace('"', "");
            let expected = format!("{by},clicks,conversions,commission,currency\n{lines}");
            assert_eq!(file, expected, "stored by {release}");
        }
        crate::store::links::forget_labels(&mut site.api.app.db.acquire().await.unwrap()).await.unwrap();
    }
}
